"""Lets a library that speaks httpx2 use the gateway's own connections and a backend's credentials."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import httpx2

from gateway.backends.client import BackendResponse
from gateway.backends.target import Target
from gateway.call import Header
from gateway.errors import GatewayError

# What else a library adds (its own idea of a credential, facts about this machine) is not the backend's business.
KEPT_HEADERS = frozenset({b"accept", b"content-type", b"user-agent"})

# An embedding of 4,096 dimensions is about 100 KB of JSON.
LONGEST_ANSWER_BYTES = 1024 * 1024

UNDECODED = (b"accept-encoding", b"identity")


class Sender(Protocol):
    """What is needed of a BackendClient."""

    async def send(
        self,
        target: Target,
        method: str,
        path: bytes,
        headers: list[Header],
        content: bytes | AsyncIterator[bytes] | None,
        length: int | None,
    ) -> BackendResponse: ...


class BackendTransport(httpx2.AsyncBaseTransport):
    """Sends each request below the backend's URL, whatever host it names; its answer is whole before it is returned.

    Raises httpx2.ReadTimeout if the backend is late by its own `timeouts`, httpx2.NetworkError if it cannot be reached,
    breaks off, has no credential or answers with more than LONGEST_ANSWER_BYTES.
    """

    def __init__(self, sender: Sender, target: Target) -> None:
        self._sender = sender
        self._target = target

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """For httpx2.AsyncClient."""
        path = self._target.path(request.url.raw_path.partition(b"?")[0].decode("latin-1")[1:], request.url.query)
        headers = [(name.lower(), value) for name, value in request.headers.raw if name.lower() in KEPT_HEADERS]
        content = await request.aread()
        try:
            response = await self._sender.send(
                self._target, request.method, path, [*headers, UNDECODED], content, len(content)
            )
            body = await _whole(response)
        except GatewayError as error:
            kind = httpx2.ReadTimeout if error.code == "Timeout" else httpx2.NetworkError
            raise kind(error.code) from error
        return httpx2.Response(response.status, headers=_described(response.headers), content=body)


async def _whole(response: BackendResponse) -> bytes:
    body = bytearray()
    try:
        async for piece in response:
            body += piece
            if len(body) > LONGEST_ANSWER_BYTES:
                raise httpx2.NetworkError("the answer is too long")
    finally:
        await response.aclose()
    return bytes(body)


def _described(headers: list[Header]) -> list[Header]:
    """What says how to read a body; its framing is undone."""
    return [pair for pair in headers if pair[0].lower() in (b"content-type", b"content-encoding")]
