"""How stored answers are given."""

import json
from typing import Any

import pytest

from gateway.cache.answers import replay
from gateway.cache.answers.stored import StoredAnswer
from gateway.llm.events import split_events
from gateway.llm.sse import EventWatcher
from gateway.llm.tokens import Protocol
from tests.cache.answers.samples import (
    NEW,
    NOW,
    SAMPLES,
    anthropic,
    chat,
    choice,
    message,
    part,
    response,
    stored,
    text_block,
    told,
)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_piece_is_one_whole_event(name: str) -> None:
    """It can be sent by itself, and nothing in it looks like an error."""
    watcher = EventWatcher()
    for piece in told(stored(name)):
        assert watcher.feed(piece) == len(piece)
        assert len(list(split_events(piece))) == 1
    assert not watcher.error_seen


@pytest.mark.parametrize("name", SAMPLES)
def test_the_stored_answer_stays_as_it_is(name: str) -> None:
    """It is given many times, each time with an id of its own."""
    answer = stored(name)
    before = json.dumps(answer.document)
    ids = iter(("a", "b", "c", "d"))
    given = [replay.whole(answer, NOW, lambda: next(ids)) for _ in range(2)]
    streamed = [b"".join(replay.events(answer, NOW, lambda: next(ids), wants_usage=True)) for _ in range(2)]
    assert json.dumps(answer.document) == before
    assert given[0] != given[1]
    assert streamed[0] != streamed[1]
    assert next(ids, None) is None


def test_a_text_comes_a_few_words_at_a_time() -> None:
    """As a model would have sent it, so that what shows it as it comes looks the same."""
    text = "The quick brown fox jumps over the lazy dog and runs away."
    pieces = [
        json.loads(event.data)["choices"][0]["delta"].get("content")
        for event in split_events(b"".join(told(StoredAnswer(Protocol.CHAT, chat(choice(text))))))
        if b"finish_reason" in event.data
    ]
    assert pieces == ["", "The quick brown", " fox jumps over", " the lazy dog", " and runs away.", None]


def documents(content: bytes) -> list[Any]:
    """What the events of a stream say."""
    return [event.document() for event in split_events(content)]


def test_anthropic_events_in_order() -> None:
    """Named as their types; the message is begun without an end, and ends with what it cost."""
    stream = b"".join(told(stored("anthropic, all blocks")))
    names = [line[7:].decode() for line in stream.split(b"\n") if line.startswith(b"event: ")]
    said = documents(stream)
    assert names == [document["type"] for document in said]
    begun = said[0]["message"]
    assert (begun["id"], begun["content"], begun["stop_reason"]) == (f"msg_{NEW}", [], None)
    assert (begun["usage"]["input_tokens"], begun["usage"]["output_tokens"]) == (10, 0)
    assert names[-2:] == ["message_delta", "message_stop"]
    assert said[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert said[-2]["usage"]["output_tokens"] == 25
    started = [
        (document["index"], document["content_block"]["type"]) for document in said if "content_block" in document
    ]
    assert started == list(enumerate(["thinking", "redacted_thinking", "text", "tool_use", "tool_use"]))
    assert [document["index"] for document in said if document["type"] == "content_block_stop"] == list(range(5))


def test_a_response_is_in_progress_until_it_is_completed() -> None:
    """With no usage, no output and no time of completion before."""
    said = documents(b"".join(told(stored("response, reasoning"))))
    begun, ended = said[0]["response"], said[-1]["response"]
    assert (begun["status"], begun["output"], begun["usage"], begun["completed_at"]) == ("in_progress", [], None, None)
    assert (ended["status"], ended["created_at"], ended["completed_at"]) == ("completed", int(NOW), int(NOW))
    assert ended["usage"]["total_tokens"] == 8


def test_an_answer_without_id_or_time_gets_them() -> None:
    """Some servers leave them out; clients need them."""
    bare = {"choices": [choice("Hi")]}
    given = json.loads(replay.whole(StoredAnswer(Protocol.CHAT, bare), NOW, lambda: NEW))
    assert given == {"id": f"chatcmpl-{NEW}", "created": int(NOW), **bare}


@pytest.mark.parametrize(
    ("protocol", "document"),
    [
        (Protocol.CHAT, chat(choice("\ud800 %d %b {}"))),
        (Protocol.RESPONSES, response(message(part('"id":"')))),
        (Protocol.ANTHROPIC, anthropic(text_block("\x00\u2028%"))),
    ],
    ids=["chat", "response", "anthropic"],
)
def test_nothing_in_a_text_is_taken_for_a_place(protocol: Protocol, document: dict[str, Any]) -> None:
    """What is filled in goes where it belongs."""
    given = json.loads(replay.whole(StoredAnswer(protocol, document), NOW, lambda: NEW))
    for name in ("choices", "output", "content"):
        assert given.get(name) == document.get(name)
