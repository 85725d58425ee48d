"""The only place that speaks HTTP to backends.

Requests go through httpx2's transport interface, by `HTTP11Transport` unless the backend asks for HTTP/2 or a proxy.
Redirects are never followed. Every failure of a transport becomes a ProviderError here; a test walks httpx2's
exception tree and proves that none is left over.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, cast

import httpx2

from gateway.backends.answer import Answer
from gateway.backends.credentials import TokenSource
from gateway.backends.target import Target, TransportKey
from gateway.backends.transport import HTTP11Transport
from gateway.call import Header
from gateway.errors import CallerError, GatewayError, ProviderError, UnavailableError

log = logging.getLogger("gateway.backends")


class BackendResponse:
    """A backend's answer: status and headers are here; iterating gives the body, undecoded, as it arrives.

    Whoever has one reads it to its end or closes it. It is no generator, because closing one that nobody has begun
    to read does nothing, and would leave the connection open.
    """

    __slots__ = ("status", "headers", "_pieces", "_stream", "_target")

    def __init__(self, response: httpx2.Response, target: Target) -> None:
        self.status = response.status_code
        self.headers: list[Header] = response.headers.raw
        self._stream = cast(httpx2.AsyncByteStream, response.stream)
        self._pieces = aiter(self._stream)
        self._target = target

    def whole(self) -> bytes | None:
        """The body, if all of it has come already, as small answers do; then there is nothing left to wait for."""
        return self._stream.take_whole() if isinstance(self._stream, Answer) else None

    def __aiter__(self) -> BackendResponse:
        return self

    async def __anext__(self) -> bytes:
        """The next piece. Raises ProviderError if the body stops before its end."""
        try:
            return await anext(self._pieces)
        except httpx2.TransportError as error:
            await self.aclose()
            raise self._interruption(error) from error
        except BaseException:
            # At the end too: only now does httpx2's transport take its connection back.
            await self.aclose()
            raise

    def _interruption(self, error: httpx2.TransportError) -> ProviderError:
        if isinstance(error, httpx2.TimeoutException):
            log.warning("backend %s fell silent in the middle of an answer", self._target.name)
            return ProviderError("Timeout", "The backend stopped sending in the middle of its answer.")
        log.warning("backend %s broke off its answer: %s", self._target.name, type(error).__name__)
        return ProviderError("BackendStreamInterrupted")

    async def aclose(self) -> None:
        """Give the answer up; a connection with an unread answer is closed, which tells the backend to stop."""
        if isinstance(self._pieces, AsyncGenerator):
            await self._pieces.aclose()
        await self._stream.aclose()


class BackendClient:
    """Sends requests to backends, over connections shared by all of them."""

    def __init__(self, tokens: TokenSource, max_connections: int) -> None:
        self._tokens = tokens
        self._max_connections = max_connections
        self._transports: dict[TransportKey, httpx2.AsyncBaseTransport] = {}

    async def send(
        self,
        target: Target,
        method: str,
        path: bytes,
        headers: list[Header],
        content: bytes | AsyncIterator[bytes] | None,
        length: int | None,
    ) -> BackendResponse:
        """Send one request and wait for the head of its answer.

        `content` of an unknown `length` (bytes, None if unknown) goes out chunked. Raises ProviderError: 502 if the
        backend cannot be reached or breaks off, 504 if it takes longer than its `timeouts` allow; and CallerError if
        the request cannot be sent as it is.
        """
        request = await self._request(target, method, path, headers, content, length)
        transport = self._transport(target.transport_key)
        try:
            response = await transport.handle_async_request(request)
        except httpx2.HTTPError as error:
            # Our own transport's words are safe to log; httpx2's may quote a header, and with it a secret.
            words = f": {error}" if isinstance(transport, HTTP11Transport) else ""
            log.warning("backend %s failed: %s%s", target.name, type(error).__name__, words)
            raise _gateway_error(error) from error
        # The transport reads this at each wait: what follows the first byte has a limit of its own.
        request.extensions["timeout"]["read"] = target.between_chunks_seconds
        return BackendResponse(response, target)

    async def _request(
        self,
        target: Target,
        method: str,
        path: bytes,
        headers: list[Header],
        content: bytes | AsyncIterator[bytes] | None,
        length: int | None,
    ) -> httpx2.Request:
        framed = [(b"host", target.host), *headers, *target.fixed_headers, *await self._identity_headers(target)]
        if isinstance(content, bytes):
            length = len(content)
        if length is not None:
            framed.append((b"content-length", str(length).encode()))
        elif content is not None:
            framed.append((b"transfer-encoding", b"chunked"))
        return httpx2.Request(
            method,
            target.origin,
            headers=framed,
            stream=_body(content, length),
            extensions={"timeout": _timeouts(target), "target": path},
        )

    async def _identity_headers(self, target: Target) -> list[Header]:
        identity = target.managed_identity
        if identity is None:
            return []
        token = await self._tokens.token(identity.scope, identity.client_id)
        return [(b"authorization", b"Bearer " + token.encode())]

    def _transport(self, key: TransportKey) -> httpx2.AsyncBaseTransport:
        transport = self._transports.get(key)
        if transport is None:
            transport = self._transports[key] = self._build(key)
        return transport

    def _build(self, key: TransportKey) -> httpx2.AsyncBaseTransport:
        if not key.http2 and not key.proxy:
            return HTTP11Transport(
                verify=key.verify_tls, trust_env=key.trust_environment, max_connections=self._max_connections
            )
        return httpx2.AsyncHTTPTransport(
            verify=key.verify_tls,
            trust_env=key.trust_environment,
            http2=key.http2,
            proxy=key.proxy,
            limits=httpx2.Limits(max_connections=self._max_connections, keepalive_expiry=30.0),
        )

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()


class _Upload(httpx2.AsyncByteStream):
    """The caller's body on its way to the backend. Raises CallerError if it is not as long as announced."""

    def __init__(self, pieces: AsyncIterator[bytes], length: int | None) -> None:
        self._pieces = pieces
        self._length = length

    async def __aiter__(self) -> AsyncIterator[bytes]:
        sent = 0
        try:
            async for piece in self._pieces:
                sent += len(piece)
                if self._length is not None and sent > self._length:
                    break
                yield piece
        finally:
            if isinstance(self._pieces, AsyncGenerator):
                await self._pieces.aclose()
        if self._length is not None and sent != self._length:
            raise CallerError("IncompleteBody", "The body is not as long as its Content-Length says.")


def _body(content: bytes | AsyncIterator[bytes] | None, length: int | None) -> httpx2.AsyncByteStream:
    return _Upload(content, length) if isinstance(content, AsyncIterator) else httpx2.ByteStream(content or b"")


def _timeouts(target: Target) -> dict[str, Any]:
    return {
        "connect": target.connect_seconds,
        "read": target.first_byte_seconds,
        "write": target.between_chunks_seconds,
        "pool": target.connect_seconds,
    }


def _gateway_error(error: httpx2.HTTPError) -> GatewayError:
    if isinstance(error, httpx2.LocalProtocolError):
        # The credential was checked when the catalog was loaded, so it is something that the caller has sent.
        return CallerError("InvalidHeader")
    if isinstance(error, httpx2.PoolTimeout):
        return UnavailableError("BackendConnectionsExhausted", headers={"retry-after": "1"})
    if isinstance(error, httpx2.ConnectTimeout):
        return ProviderError("BackendConnectionFailure", "The backend did not accept a connection in time.")
    if isinstance(error, httpx2.TimeoutException):
        return ProviderError("Timeout")
    if isinstance(error, httpx2.RemoteProtocolError):
        return ProviderError("BackendConnectionFailure", "The backend closed the connection or sent no valid HTTP.")
    return ProviderError("BackendConnectionFailure")
