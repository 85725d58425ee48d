"""Streams in their parts, wherever they are cut."""

import base64
import json
import random
import zlib
from typing import Any

import pytest

from gateway.safety.answers.parts import LONGEST_EVENT_BYTES, EventParts, FrameParts, Part, Parts


def fed(parts: Parts, *pieces: bytes) -> list[Part]:
    found = [part for piece in pieces for part in parts.feed(piece)]
    return [*found, *parts.rest()]


def say(parts: list[Part]) -> list[str]:
    return [text for part in parts for _, text in part.texts]


def frame(document: Any) -> bytes:
    """As Bedrock sends it, with one header."""
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    header = b"\x0b:event-type\x07\x00\x04name"
    lengths = (16 + len(header) + len(content)).to_bytes(4) + len(header).to_bytes(4)
    whole = lengths + zlib.crc32(lengths).to_bytes(4) + header + content
    return whole + zlib.crc32(whole).to_bytes(4)


EVENTS = (
    b'\xef\xbb\xbfdata: {"text": "Gr\xc3\xbc\xc3\x9fe"}\n\n: a comment\n\nevent: x\r\ndata: {"text":\r\n'
    b'data: " \xe5\xa4\xa9\xe6\xb0\x97"}\r\n\r\ndata: no JSON\n\ndata: [DONE]\n\n'
)


def test_the_bytes_are_those_that_came_wherever_they_are_cut() -> None:
    """Within a letter, a line end or the mark at the beginning; and so are the texts."""
    chance = random.Random(3)
    for _ in range(300):
        cuts = sorted(chance.randrange(len(EVENTS)) for _ in range(chance.randint(0, 12)))
        pieces = [EVENTS[start:end] for start, end in zip([0, *cuts], [*cuts, len(EVENTS)], strict=True)]
        parts = fed(EventParts(), *pieces)
        assert b"".join(part.raw for part in parts) == EVENTS
        assert say(parts) == ["Grüße", " 天気", "no JSON"]
        assert [part.is_last for part in parts].index(True) == len(parts) - 1


def test_what_comes_with_the_end_is_read() -> None:
    """Whatever it is."""
    parts = fed(EventParts(), b"data: [DONE]\nstab\n\n")
    assert ([part.is_last for part in parts], [text.strip() for text in say(parts)]) == ([True], ["stab"])


@pytest.mark.parametrize("half", [b'\xef\xbb\xbfdata: {"text": "x"}'])
def test_half_an_event_may_be_all_there_is(half: bytes) -> None:
    """With a mark before it."""
    parts = fed(EventParts(), half)
    assert (say(parts), b"".join(part.raw for part in parts)) == (["x"], half)


@pytest.mark.parametrize("half", [b'data: {"text": "x"}', b'data: {"text": "x"}\n', b"data: x"])
def test_half_an_event_at_the_end_is_read(half: bytes) -> None:
    """Some readers take it for a whole one."""
    parts = fed(EventParts(), b"data: 1\n\n", half)
    assert (say(parts), parts[-1].raw) == (["x"], half)


@pytest.mark.parametrize("kind", ["message_stop", "response.completed", "response.incomplete"])
def test_the_last_event_is_known(kind: str) -> None:
    """Not every backend closes the connection after it."""
    assert [part.is_last for part in fed(EventParts(), b'data: {"type": "%s"}\n\n' % kind.encode())] == [True]


def test_numbers_and_nothing_say_nothing() -> None:
    """They are JSON as well."""
    assert say(fed(EventParts(), b"data: 1\n\ndata: null\n\ndata:\n\ndata: [1]\n\n")) == []


def test_an_event_without_end_cannot_be_read() -> None:
    """It is not held for ever; what it has come to is handed on."""
    parts = fed(EventParts(), b"data: ", b"x" * LONGEST_EVENT_BYTES)
    assert [part.is_unreadable for part in parts] == [True]
    assert len(parts[0].raw) == LONGEST_EVENT_BYTES + 6


def test_an_event_that_nests_too_deeply_cannot_be_read() -> None:
    """Nor is it taken for one without text."""
    deep = b'data: {"a":' + b"[" * 100 + b'"x"' + b"]" * 100 + b"}\n\n"
    assert [part.is_unreadable for part in fed(EventParts(), deep)] == [True]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_frames_are_read_wherever_they_are_cut(size: int) -> None:
    """With their text, byte for byte."""
    stream = frame({"contentBlockIndex": 0, "delta": {"text": "Grü"}}) + frame({"delta": {"text": "ße"}}) + frame(b"")
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    parts = fed(FrameParts(), *pieces)
    assert (b"".join(part.raw for part in parts), say(parts), len(parts)) == (stream, ["Grü", "ße"], 3)


def test_events_in_frames_are_read() -> None:
    """As Bedrock sends on what models say in their own protocols."""
    event = base64.b64encode(b'{"type": "content_block_delta", "index": 0, "delta": {"text": "words"}}').decode()
    assert say(fed(FrameParts(), frame({"bytes": event, "p": "abcd", "more": "text"}))) == ["words", "text"]
    assert [part.is_unreadable for part in fed(FrameParts(), frame({"bytes": "no base64"}))] == [True]


def test_a_frame_whose_headers_have_no_end_cannot_be_read() -> None:
    """Who knows where others look for what it says."""
    whole = bytearray(frame({"delta": {"text": "words"}}))
    whole[4:8] = (len(whole)).to_bytes(4)
    assert [part.is_unreadable for part in fed(FrameParts(), bytes(whole))] == [True]


def test_what_is_no_frame_cannot_be_read() -> None:
    """By its length; half of one at the end is looked at as text."""
    assert [part.is_unreadable for part in fed(FrameParts(), b"this is no frame at all")] == [True]
    half = frame({"delta": {"text": "words"}})[:-5]
    parts = fed(FrameParts(), half)
    assert parts[0].raw == half
    assert "words" in say(parts)[0]
