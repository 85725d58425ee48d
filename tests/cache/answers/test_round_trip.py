"""What is told of a stored answer is collected as the same answer."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.answers import replay
from gateway.cache.answers.stored import StoredAnswer
from gateway.llm.tokens import Protocol
from tests.cache.answers.samples import (
    NEW,
    NOW,
    SAMPLES,
    TEXTS,
    anthropic,
    chat,
    choice,
    collected,
    collected_whole,
    completion,
    lasting,
    message,
    part,
    response,
    stored,
    text_block,
    told,
)

IDS = {
    Protocol.CHAT: f"chatcmpl-{NEW}",
    Protocol.COMPLETIONS: f"cmpl-{NEW}",
    Protocol.RESPONSES: f"resp_{NEW}",
    Protocol.ANTHROPIC: f"msg_{NEW}",
}


@pytest.mark.parametrize("name", SAMPLES)
def test_events_are_collected_as_the_same_answer(name: str) -> None:
    """But for what is new each time: the id and the time."""
    protocol, document = SAMPLES[name]
    again = collected(protocol, told(stored(name)))
    assert lasting(again) == lasting(document)
    assert again["id"] == IDS[protocol]
    assert again.get("created", again.get("created_at", int(NOW))) == int(NOW)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_whole_is_collected_as_the_same_answer(name: str) -> None:
    """With a new id and the time."""
    protocol, document = SAMPLES[name]
    assert collected_whole(protocol, document) == document
    again = json.loads(replay.whole(stored(name), NOW, lambda: NEW))
    assert lasting(again) == lasting(document)
    assert again["id"] == IDS[protocol]
    assert {again[key] for key in ("created", "created_at", "completed_at") if key in again} <= {int(NOW)}


@pytest.mark.parametrize("name", SAMPLES)
def test_any_single_split_is_collected_as_the_same(name: str) -> None:
    """Every split point of the stream's bytes, within events, line ends and characters."""
    protocol, document = SAMPLES[name]
    stream = b"".join(told(stored(name)))
    step = max(1, len(stream) // 400)
    for point in range(0, len(stream), step):
        assert lasting(collected(protocol, [stream[:point], stream[point:]])) == lasting(document)


@given(data=st.data())
def test_any_number_of_splits_is_collected_as_the_same(data: st.DataObject) -> None:
    """However the bytes are cut."""
    name = data.draw(st.sampled_from(sorted(SAMPLES)))
    protocol, document = SAMPLES[name]
    stream = b"".join(told(stored(name)))
    points = data.draw(st.lists(st.integers(0, len(stream)), max_size=12))
    cuts = [0, *sorted(points), len(stream)]
    assert lasting(collected(protocol, [stream[a:b] for a, b in pairwise(cuts)])) == lasting(document)


def test_every_byte_by_itself() -> None:
    """The smallest pieces there are, with both line ends."""
    for end in (b"\n", b"\r\n", b"\r"):
        for name, (protocol, document) in SAMPLES.items():
            stream = b"".join(told(stored(name))).replace(b"\n", end)
            single = [stream[place : place + 1] for place in range(len(stream))]
            assert lasting(collected(protocol, single)) == lasting(document)


def _documents(text: str) -> list[tuple[Protocol, dict[str, object]]]:
    return [
        (Protocol.CHAT, chat(choice(text, reasoning_content=text))),
        (Protocol.COMPLETIONS, completion(text)),
        (Protocol.RESPONSES, response(message(part(text)))),
        (Protocol.ANTHROPIC, anthropic(text_block(text))),
    ]


@pytest.mark.parametrize("text", TEXTS, ids=repr)
def test_texts_come_back_to_the_letter(text: str) -> None:
    """White space, long words and long texts."""
    for protocol, document in _documents(text):
        assert lasting(collected(protocol, told(StoredAnswer(protocol, document)))) == lasting(document)


@given(st.text(st.characters(codec=None, exclude_categories=()), min_size=1))
def test_any_text_comes_back(text: str) -> None:
    """Half surrogate pairs too, which JSON can carry and UTF-8 cannot."""
    for protocol, document in _documents(text):
        answer = StoredAnswer(protocol, document)
        stream = b"".join(told(answer))
        stream.decode()
        again = StoredAnswer(protocol, collected(protocol, [stream]))
        assert json.loads(json.dumps(lasting(again.document))) == json.loads(json.dumps(lasting(document)))
