"""A request body that comes piece by piece, on its way to the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import httpx2

from gateway.backends.request_head import LAST_CHUNK, Outgoing, chunk

if TYPE_CHECKING:
    from gateway.backends.connection import Connection


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
    try:
        async for piece in source:
            if not piece:
                continue
            if remaining is not None:
                remaining -= len(piece)
                if remaining < 0:
                    raise httpx2.LocalProtocolError("The request's body is longer than its Content-Length.")
            connection.write(piece if remaining is not None else chunk(piece))
            await _drain(connection, write_seconds)
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()
    if remaining:
        raise httpx2.LocalProtocolError("The request's body is shorter than its Content-Length.")
    if remaining is None:
        connection.write(LAST_CHUNK)
    await _drain(connection, write_seconds)


async def _drain(connection: Connection, seconds: float | None) -> None:
    if not connection.writing_paused:
        # Lets the loop see what the server says meanwhile: it may have refused the body already.
        await asyncio.sleep(0)
        return
    try:
        async with asyncio.timeout(seconds):
            await connection.drained()
    except TimeoutError:
        raise httpx2.WriteTimeout("The server took too long to accept the request's body.") from None
