"""Streams tell their tokens, and callers see nothing of the asking."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.llm.sse import EventBuffer
from gateway.llm.stream_usage import StreamUsage, asks_for_usage, split_events, with_usage_asked_for
from gateway.llm.usage import Usage


def event(document: Any, end: str = "\n") -> bytes:
    """One event as OpenAI sends it."""
    return f"data: {json.dumps(document)}{end}{end}".encode()


def chunk(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}}], "usage": None}


USAGE = event({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}})
BEFORE = b": keep-alive\n\n" + event(chunk("Grüße ")) + b"event: x\r\ndata: " + b'{"choices":\r\ndata: []}\r\n\r\n'
AFTER = event(chunk("👋"), "\r") + b"data: [DONE]\n\n"
STREAM = BEFORE + USAGE + AFTER


def followed(pieces: list[bytes], *, hides_usage: bool = True) -> tuple[bytes, Usage | None, str]:
    """What the caller gets of a stream that comes in these pieces, and what was read on the way."""
    buffer, stream = EventBuffer(), StreamUsage(hides_usage=hides_usage)
    sent = b"".join(stream.take(buffer.feed(piece)) for piece in pieces) + stream.take(buffer.rest())
    return sent, stream.usage, stream.text


def test_every_split_gives_the_same() -> None:
    """At each of the stream's bytes: the caller's bytes are the backend's but for that one event."""
    expected = (BEFORE + AFTER, Usage(5, 2), "Grüße 👋")
    assert followed([STREAM]) == expected
    for point in range(len(STREAM)):
        assert followed([STREAM[:point], STREAM[point:]]) == expected


@given(st.lists(st.integers(0, len(STREAM)), max_size=10))
def test_any_number_of_splits(points: list[int]) -> None:
    """Nothing is lost and nothing is added, whoever wants the event."""
    cuts = [0, *sorted(points), len(STREAM)]
    pieces = [STREAM[begin:end] for begin, end in itertools.pairwise(cuts)]
    assert followed(pieces, hides_usage=False) == (STREAM, Usage(5, 2), "Grüße 👋")


@pytest.mark.parametrize("cut", range(0, len(STREAM), 7))
def test_a_stream_that_stops_in_the_middle(cut: int) -> None:
    """What was whole has been read; no byte but the hidden event's is missing."""
    sent, _, text = followed([STREAM[:cut]])
    assert sent in (STREAM[:cut], STREAM[:cut].replace(USAGE, b""))
    assert "Grüße 👋".startswith(text)


def test_usage_in_an_event_with_text_stays() -> None:
    """Some backends put it into the last piece of text: that is the caller's."""
    last = event({"choices": [{"delta": {"content": "x"}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    assert followed([last]) == (last, Usage(1, 1), "x")


def test_anthropics_parts_are_added_up() -> None:
    """The prompt comes first, the answer's running total with each delta."""
    stream = event({"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}})
    stream += event({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hello"}})
    stream += event({"type": "message_delta", "usage": {"output_tokens": 9}})
    stream += event({"type": "message_delta", "usage": {"output_tokens": 15}})
    assert followed([stream]) == (stream, Usage(25, 15), "Hello")


@pytest.mark.parametrize(
    "data", [b"data: [DONE]\n\n", b"data: {broken\n\n", b"data: 7\n\n", b"\n\n", b"id: 1\n\n", b"data: [\n\n"]
)
def test_events_that_say_nothing_pass(data: bytes) -> None:
    """Whatever they are."""
    assert followed([data]) == (data, None, "")


def test_events_are_split_as_the_standard_says() -> None:
    """Any line end, several data lines, comments with the event they precede."""
    events = list(split_events(b": c\ndata: a\ndata:b\n\ndata: c\r\rdata: d\r\n\r\n"))
    assert [each.data for each in events] == [b"a\nb", b"c", b"d"]
    assert b"".join(each.raw for each in events) == b": c\ndata: a\ndata:b\n\ndata: c\r\rdata: d\r\n\r\n"


BODIES: dict[str, bytes] = {
    "as usual": b'{"model": "m", "stream": true, "temperature": 1.0}',
    "with white space behind": b'{"model": "m", "stream": true} \r\n',
    "empty": b"{}",
    "with options": b'{"stream": true, "stream_options": {"include_obfuscation": false}}',
    "refusing it": b'{"stream": true, "stream_options": {"include_usage": false}}',
    "with null for options": b'{"stream": true, "stream_options": null}',
    "with large numbers": b'{"seed": 123456789012345678901234567890, "stream": true}',
    "with braces in texts": b'{"stream": true, "stop": "}"}',
}


@pytest.mark.parametrize("content", BODIES.values(), ids=BODIES.keys())
def test_usage_is_asked_for(content: bytes) -> None:
    """The body says what it said, and asks."""
    document = json.loads(content)
    changed = json.loads(with_usage_asked_for(content, document))
    assert asks_for_usage(changed)
    assert not asks_for_usage(document)
    options = changed.pop("stream_options")
    assert options == {**(document.pop("stream_options", None) or {}), "include_usage": True}
    assert changed == document


def test_the_rest_of_a_body_keeps_its_spelling() -> None:
    """Backends may care how a number is written, and hash what they are sent."""
    assert with_usage_asked_for(b'{"a": 1.0}\n', {"a": 1.0}) == b'{"a": 1.0,"stream_options":{"include_usage":true}}'
