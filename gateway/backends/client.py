"""The only place that speaks HTTP to backends.

Requests go through httpx2's transport interface, by `HTTP11Transport` unless the backend asks for HTTP/2 or a proxy.
Redirects are never followed. Every failure of a transport becomes a ProviderError here; a test walks httpx2's
exception tree and proves that none is left over.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx2

from gateway.backends.answer import Answer
from gateway.backends.credentials import TokenSource
from gateway.backends.target import Header, Target, TransportKey
from gateway.backends.transport import HTTP11Transport
from gateway.errors import CallerError, GatewayError, ProviderError

log = logging.getLogger("gateway.backends")


class BackendResponse:
    """A backend's answer: status and headers are here, the body comes."""

    __slots__ = ("status", "headers", "_response", "_target")

    def __init__(self, response: httpx2.Response, target: Target) -> None:
        self.status = response.status_code
        self.headers: list[Header] = response.headers.raw
        self._response = response
        self._target = target

    def whole(self) -> bytes | None:
        """The body, if all of it has come already, as small answers do; then there is nothing left to wait for."""
        stream = self._response.stream
        return stream.take_whole() if isinstance(stream, Answer) else None

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, undecoded, as it arrives. Raises ProviderError if it stops before its end."""
        stream = cast(httpx2.AsyncByteStream, self._response.stream)
        try:
            async for piece in stream:
                yield piece
        except httpx2.TimeoutException as error:
            log.warning("backend %s fell silent in the middle of an answer", self._target.name)
            raise ProviderError("Timeout", "The backend stopped sending in the middle of its answer.") from error
        except httpx2.TransportError as error:
            log.warning("backend %s broke off its answer: %s", self._target.name, type(error).__name__)
            raise ProviderError("BackendStreamInterrupted") from error
        finally:
            await stream.aclose()

    async def aclose(self) -> None:
        """Give the answer up; a connection with an unread answer is closed, which tells the backend to stop."""
        await cast(httpx2.AsyncByteStream, self._response.stream).aclose()


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
        backend cannot be reached or breaks off, 504 if it takes longer than its `timeouts` allow.
        """
        request = await self._request(target, method, path, headers, content, length)
        try:
            response = await self._transport(target.transport_key).handle_async_request(request)
        except httpx2.HTTPError as error:
            raise _provider_error(error, target) from error
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
            stream=_Upload(content) if isinstance(content, AsyncIterator) else httpx2.ByteStream(content or b""),
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
    """The caller's body on its way to the backend."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces


def _timeouts(target: Target) -> dict[str, Any]:
    return {
        "connect": target.connect_seconds,
        "read": target.first_byte_seconds,
        "write": target.between_chunks_seconds,
        "pool": target.connect_seconds,
    }


def _provider_error(error: httpx2.HTTPError, target: Target) -> GatewayError:
    log.warning("backend %s failed: %s", target.name, type(error).__name__)
    if isinstance(error, httpx2.LocalProtocolError):
        return CallerError("InvalidHeader")
    if isinstance(error, (httpx2.ConnectTimeout, httpx2.PoolTimeout)):
        return ProviderError("BackendConnectionFailure", "The backend did not accept a connection in time.")
    if isinstance(error, httpx2.TimeoutException):
        return ProviderError("Timeout")
    if isinstance(error, httpx2.RemoteProtocolError):
        return ProviderError("BackendConnectionFailure", "The backend closed the connection or sent no valid HTTP.")
    return ProviderError("BackendConnectionFailure")
