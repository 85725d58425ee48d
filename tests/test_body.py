"""Who reads a request's body, and what of it has come."""

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
