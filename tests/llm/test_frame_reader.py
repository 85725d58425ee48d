"""Amazon's binary event streams: usage and text, at every split."""

import json
from collections.abc import Sequence
from typing import Any
from zlib import crc32

import pytest

from gateway.llm.frame_reader import LONGEST_FRAME_BYTES, FrameReader
from gateway.llm.usage import Usage


def number(value: int) -> bytes:
    return value.to_bytes(4)


def frame(kind: str, document: Any) -> bytes:
    """One event, as AWS describes the format."""
    fields = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + len(value).to_bytes(2) + value.encode()
        for name, value in fields.items()
    )
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    prelude = number(16 + len(headers) + len(payload)) + number(len(headers))
    message = prelude + number(crc32(prelude)) + headers + payload
    return message + number(crc32(message))


def delta(content: dict[str, Any]) -> bytes:
    return frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": content, "p": "abcdef"})


TEXT = [
    frame("messageStart", {"role": "assistant"}),
    delta({"reasoningContent": {"text": "Hm. "}}),
    delta({"text": "Hello"}),
    delta({"text": ", world"}),
    delta({"toolUse": {"input": '{"a":'}}),
    frame("messageStop", {"stopReason": "end_turn"}),
]
METADATA = frame("metadata", {"usage": {"inputTokens": 30, "outputTokens": 9}, "metrics": {"latencyMs": 5}})
STREAM = b"".join(TEXT) + METADATA


def characters(texts: Sequence[str]) -> int:
    """Stands in for counting."""
    return sum(map(len, texts))


@pytest.mark.parametrize("size", [1, 2, 5, 64, 1000, len(STREAM)])
def test_any_split(size: int) -> None:
    """The same usage, and no text left to count."""
    reader = FrameReader(characters)
    for start in range(0, len(STREAM), size):
        reader.take(STREAM[start : start + size])
        reader.sent_bytes = min(start + size, len(STREAM))
    reader.finish()
    assert (reader.usage, reader.tokens()) == (Usage(30, 9), 0)


def test_what_a_caller_has_received() -> None:
    """The text of the frames that it has whole, whatever came of the others."""
    reader = FrameReader(characters)
    reader.take(b"".join(TEXT))
    ends = [len(b"".join(TEXT[: place + 1])) for place in range(len(TEXT))]
    counted = []
    for sent in range(len(b"".join(TEXT)) + 1):
        reader.sent_bytes = sent
        counted.append(reader.tokens())
    assert [counted[end] for end in ends] == [0, 4, 9, 16, 21, 21]
    assert [counted[end - 1] for end in ends] == [0, 0, 4, 9, 16, 21]


@pytest.mark.parametrize(
    "content",
    [b"", b"short", b"\0" * 100, b"\xff" * 100, number(LONGEST_FRAME_BYTES) + b"\0" * 2_000_000, b'{"message": "no"}'],
)
def test_what_is_no_stream_of_frames(content: bytes) -> None:
    """It passes, and is not kept."""
    reader = FrameReader(characters)
    reader.take_whole(content)
    reader.take(b"x" * 100)
    reader.sent_bytes = len(content)
    assert (reader.usage, reader.tokens()) == (None, 0)


def test_frames_of_something_else() -> None:
    """What is no JSON object says nothing, and what comes behind it is read."""
    reader = FrameReader(characters)
    reader.take(frame("exception", b"not json") + frame("odd", [1]) + STREAM)
    assert reader.usage == Usage(30, 9)
