"""Server-sent events, watched as they pass."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.llm.sse import MAXIMUM_HELD_BYTES, EventBuffer, EventWatcher

STREAM = (
    'data: {"choices":[{"delta":{"content":"Grüße 👋"}}]}\n\n'
    ": a comment\r\n\r\n"
    'event: message\ndata: {"choices":[]}\n\n'
    'data: {"error": {"message": "overloaded"}}\n\n'
    "data: [DONE]\n\n"
).encode()


def _fed(pieces: list[bytes]) -> tuple[bool, bytes]:
    buffer = EventBuffer()
    sent = b"".join(buffer.feed(piece) for piece in pieces)
    return buffer.watcher.error_seen, sent


def test_any_single_split_gives_the_same_result() -> None:
    """Every one of the stream's split points, within events, line ends and characters."""
    assert _fed([STREAM]) == (True, STREAM)
    for point in range(len(STREAM)):
        assert _fed([STREAM[:point], STREAM[point:]]) == (True, STREAM)


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_number_of_splits_gives_the_same_result(points: list[int]) -> None:
    """However the bytes are cut, what was seen is the same."""
    cuts = [0, *sorted(points), len(STREAM)]
    assert _fed([STREAM[a:b] for a, b in pairwise(cuts)]) == (True, STREAM)


HELD: dict[str, tuple[list[bytes], list[bytes]]] = {
    "half a line": ([b"data: x"], [b""]),
    "a line, no blank one": ([b"data: x\n"], [b""]),
    "a whole event": ([b"data: x\n\n"], [b"data: x\n\n"]),
    "carriage returns": ([b"data: x\r\r"], [b"data: x\r\r"]),
    "both": ([b"data: x\r\n\r\n"], [b"data: x\r\n\r\n"]),
    "the next event begun": ([b"data: x\n\nd", b"ata: y\n\n"], [b"data: x\n\n", b"data: y\n\n"]),
    "two events and a half": ([b"data: 1\n\ndata: 2\n\ndata"], [b"data: 1\n\ndata: 2\n\n"]),
    "between carriage return and line feed": ([b"data: x\r\n\r", b"\n"], [b"data: x\r\n\r", b"\n"]),
    "within the first line end": ([b"data: x\r", b"\n\r\n"], [b"", b"data: x\r\n\r\n"]),
}


@pytest.mark.parametrize(("pieces", "sent"), HELD.values(), ids=HELD.keys())
def test_only_whole_events_are_let_through(pieces: list[bytes], sent: list[bytes]) -> None:
    """What has been sent ends with an event, whatever the pieces."""
    buffer = EventBuffer()
    assert [buffer.feed(piece) for piece in pieces] == sent


def test_an_event_too_large_to_hold_is_let_through() -> None:
    """It passes as it comes, and until it ends nothing of ours may be put in."""
    buffer = EventBuffer()
    large = b"data: " + b"x" * MAXIMUM_HELD_BYTES
    assert (buffer.feed(large), buffer.mid_event) == (large, True)
    assert (buffer.feed(b"more"), buffer.mid_event) == (b"more", True)
    assert (buffer.feed(b"\n\n"), buffer.mid_event) == (b"\n\n", False)


def test_half_an_event_that_is_let_go_ends_before_anything_of_ours() -> None:
    """The half goes out, and until the other half has come nothing may be put in."""
    buffer = EventBuffer()
    assert (buffer.feed(b"data: x"), buffer.holds_something) == (b"", True)
    assert (buffer.let_go(), buffer.mid_event, buffer.holds_something) == (b"data: x", True, False)
    assert (buffer.feed(b"\n\n"), buffer.mid_event) == (b"\n\n", False)


def test_a_stream_that_ends_in_the_middle_keeps_its_rest() -> None:
    """Ended by the backend itself, every byte is delivered."""
    buffer = EventBuffer()
    assert (buffer.feed(b"data: x\n\ndata: y"), buffer.rest()) == (b"data: x\n\n", b"data: y")


ERRORS = [b'data: {"error":{}}\n\n', b'data:{ "error" : {"message": ""}}\n\n', b"event: error\ndata: {}\n\n"]


@pytest.mark.parametrize("stream", ERRORS)
def test_what_is_an_error(stream: bytes) -> None:
    """However it is spaced."""
    assert _fed([stream])[0] is True


NOT_ERRORS = {
    "error is null, spaced": b'data: { "error" :  null }\n\n',
    "error is null": b'data: {"error": null, "id": "resp_1"}\n\n',
    "error further in": b'data: {"choices": [], "error": {}}\n\n',
    "the word in a text": b'data: {"choices":[{"delta":{"content":"{\\"error\\": 1}"}}]}\n\n',
}


@pytest.mark.parametrize("stream", NOT_ERRORS.values(), ids=NOT_ERRORS.keys())
def test_what_is_no_error(stream: bytes) -> None:
    """Only an object that opens with an error is one."""
    assert _fed([stream])[0] is False


def test_a_line_without_end_is_not_kept() -> None:
    """Ten megabytes without a line end do not stay in memory."""
    watcher = EventWatcher()
    for _ in range(160):
        watcher.feed(b"x" * 65_536)
    assert len(watcher._line) <= 65_536
