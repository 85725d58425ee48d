"""Who reads a request's body, and what of it has come."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.body import RequestBody
from gateway.errors import CallerError


def body_of(*messages: dict[str, Any]) -> RequestBody:
    """A body that comes in these messages."""
    coming: Iterator[dict[str, Any]] = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(coming)

    return RequestBody(receive, None, has_body=True)


PIECE = {"type": "http.request", "body": b"x", "more_body": True}


async def test_a_body_is_left_alone_once_its_reader_has_stopped() -> None:
    """Whoever wants to hear of the caller's leaving may listen then, although the body never was complete."""
    body = body_of(PIECE, PIECE)
    pieces = body.pieces()
    assert body.is_left_alone()
    assert await anext(pieces) == b"x"
    assert not body.is_left_alone()
    async with contextlib.aclosing(pieces):  # type: ignore[type-var]
        pass
    assert (body.is_left_alone(), body.is_complete()) == (True, False)


async def test_a_caller_who_leaves_in_the_middle_is_remembered() -> None:
    """The reader is told, and whoever writes the log can see it."""
    body = body_of(PIECE, {"type": "http.disconnect"})
    with pytest.raises(CallerError, match="before it was complete"):
        await body.read()
    assert (body.cut_short, body.received_bytes) == (True, 1)


async def test_a_caller_who_falls_silent_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """408, so that it holds no connection to the backend."""
    monkeypatch.setattr("gateway.body.SILENCE_SECONDS", 0.01)

    async def silent() -> Any:
        await asyncio.Future()

    body = RequestBody(silent, None, has_body=True)
    with pytest.raises(CallerError) as refused:
        await body.read()
    assert (refused.value.status, refused.value.code) == (408, "RequestTimeout")
    assert body.is_left_alone()
