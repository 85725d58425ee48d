"""forward: the innermost policy; sends the call to its backend and brings the answer back as it comes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from gateway.backends.client import BackendClient, BackendResponse
from gateway.backends.headers import to_backend, to_caller
from gateway.backends.locations import rewrite_addresses
from gateway.backends.target import Target
from gateway.call import Call, Header, Reply
from gateway.catalog.keys import holds_key
from gateway.errors import ProviderError

if TYPE_CHECKING:
    from gateway.catalog.snapshot import ApiEntry
    from gateway.pipeline import Next

KEY_QUERIES = frozenset({"subscription-key", "code"})

# These announce a length even when there is nothing to send (RFC 9110, section 8.6).
METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Forward:
    """Answers from the backend; never calls `next`."""

    def __init__(self, entry: ApiEntry, client: BackendClient) -> None:
        self._client = client
        self._target = Target.of(entry.backend)
        self._api_path = entry.api.path
        self._is_openai = entry.api.type == "openai"
        own = entry.api.subscription_key_parameter_names
        own_header = own.header.lower().encode() if own and own.header else b""
        queries = (own and own.query, self._target.credential_query)
        self._dropped_headers = self._target.credential_names | {own_header}
        self._dropped_queries = KEY_QUERIES | {name.lower() for name in queries if name}

    async def __call__(self, call: Call, next: Next) -> Reply:
        started = time.perf_counter()
        try:
            response = await self._send(call)
        finally:
            call.backend_seconds += time.perf_counter() - started
        try:
            return self._reply(call, response)
        except BaseException:
            await response.aclose()
            raise

    async def _send(self, call: Call) -> BackendResponse:
        assert call.operation is not None
        headers = to_backend(call.headers, self._dropped_headers)
        headers.append((b"x-request-id", call.request_id.encode("latin-1")))
        if self._is_openai or call.protocol is not None or call.answer_screening is not None:
            # The gateway reads these answers; undoing a compression the caller does not need would only cost.
            headers = [pair for pair in headers if pair[0] != b"accept-encoding"]
            headers.append((b"accept-encoding", b"identity"))
        if call.answer_screening is not None:
            # Of a text that comes in parts, none says what the whole does.
            headers = [pair for pair in headers if pair[0] not in (b"range", b"if-range")]
        path = self._target.path(self._below(call.operation.path), self._query(call.query))
        content = call.content if call.content is not None else _upload(call)
        return await self._client.send(self._target, call.method, path, headers, content, _length(call))

    def _below(self, path: str) -> str:
        # An Azure OpenAI backend may be given with or without its "/openai".
        if path.startswith("openai/deployments/") and self._target.base_path.endswith(b"/openai"):
            return path.removeprefix("openai/")
        return path

    def _query(self, query: bytes) -> bytes:
        if not query:
            return b""
        return b"&".join(part for part in query.split(b"&") if not self._is_dropped(part))

    def _is_dropped(self, part: bytes) -> bool:
        parameter = unquote_plus(part.decode("latin-1"))
        return parameter.partition("=")[0].lower() in self._dropped_queries or holds_key(parameter)

    def _reply(self, call: Call, response: BackendResponse) -> Reply:
        headers = to_caller(response.headers, self._dropped_headers)
        headers = rewrite_addresses(headers, self._target.url, self._api_path)
        if response.status > 599:
            raise ProviderError("BackendInvalidResponse", "The backend answered with a status that HTTP does not have.")
        if self._is_openai and response.status < 300 and _is_html(headers):
            raise ProviderError(
                "BackendInvalidResponse", "The backend answered with a web page; the API's backend URL may be wrong."
            )
        reply = Reply(response.status, headers, _TimedBody(call, response))
        if not reply.is_event_stream and (whole := response.whole()) is not None:
            reply.body = whole
        return reply


def _upload(call: Call) -> AsyncIterator[bytes] | None:
    return None if call.body.complete else call.body.pieces()


def _length(call: Call) -> int | None:
    if call.body.expected_bytes is None and call.body.complete and call.method in METHODS_WITH_BODY:
        return 0
    return call.body.expected_bytes


def _is_html(headers: list[Header]) -> bool:
    return any(name == b"content-type" and value.lower().startswith(b"text/html") for name, value in headers)


class _TimedBody:
    """The body, with the time spent waiting for it put to the backend's account."""

    __slots__ = ("_call", "_response")

    def __init__(self, call: Call, response: BackendResponse) -> None:
        self._call = call
        self._response = response

    def __aiter__(self) -> _TimedBody:
        return self

    async def __anext__(self) -> bytes:
        waiting = time.perf_counter()
        try:
            return await anext(self._response)
        finally:
            self._call.backend_seconds += time.perf_counter() - waiting

    async def aclose(self) -> None:
        await self._response.aclose()
