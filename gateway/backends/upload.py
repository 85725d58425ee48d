"""A request body that comes piece by piece, on its way to the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import httpx2

from gateway.backends.request_head import LAST_CHUNK, Outgoing, chunk

if TYPE_CHECKING:
    from gateway.backends.connection import Connection

# Sent without a turn of the event loop, in which a server that refuses the body would be heard: a source that always
# has more would otherwise never be interrupted.
BLIND_BYTES = 64 * 1024


async def upload(connection: Connection, request: Outgoing, write_seconds: float | None) -> None:
    """Send the body. A failure, of the source or of the connection, reaches the caller through the answer."""
    try:
        await _send(connection, request, write_seconds)
    except Exception as error:
        connection.fail(error)
    else:
        connection.uploaded()


async def _send(connection: Connection, request: Outgoing, write_seconds: float | None) -> None:
    assert request.stream is not None
    source = aiter(request.stream)
    remaining = request.length
    unseen = 0
    try:
        async for piece in source:
            if not piece:
                continue
            remaining = _remaining(remaining, piece)
            connection.write(piece if remaining is not None else chunk(piece))
            unseen += len(piece)
            if connection.writing_paused:
                await _drain(connection, write_seconds)
            elif unseen >= BLIND_BYTES:
                unseen = 0
                await asyncio.sleep(0)
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()
    if remaining:
        raise httpx2.LocalProtocolError("The request's body is shorter than its Content-Length.")
    if remaining is None:
        connection.write(LAST_CHUNK)
    if connection.writing_paused:
        await _drain(connection, write_seconds)


def _remaining(announced: int | None, piece: bytes) -> int | None:
    if announced is None:
        return None
    if len(piece) > announced:
        raise httpx2.LocalProtocolError("The request's body is longer than its Content-Length.")
    return announced - len(piece)


async def _drain(connection: Connection, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await connection.drained()
    except TimeoutError:
        raise httpx2.WriteTimeout("The server took too long to accept the request's body.") from None
