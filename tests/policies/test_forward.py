"""What goes to the backend, what comes back, and what becomes of the connection whatever happens to the answer."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.backends.client import BackendClient
from gateway.body import RequestBody
from gateway.call import Call, Header, Reply
from gateway.catalog.loading import parse_documents
from gateway.catalog.secrets import SecretBox
from gateway.catalog.snapshot import ApiEntry, Snapshot
from gateway.errors import ProviderError
from gateway.llm.operations import passthrough_operation
from gateway.policies.forward import Forward
from tests.backends.exchanges import OK, always
from tests.backends.raw_server import Peer, RawServer, Script
from tests.backends.test_client import NoTokens
from tests.policies.test_admit import never_received, passed_on

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CREDENTIALS = 'credentials: {header: Authorization, value: "Bearer {{env:KEY}}"}'


def entry(backend: str, kind: str = "passthrough") -> ApiEntry:
    """The API `raw` before this backend, from YAML as an operator writes it."""
    text = f"{{kind: Api, name: raw, path: raw, type: {kind}, backend: {{{backend}}}}}"
    snapshot, faults = Snapshot.build(1, parse_documents(text, "test"), SecretBox(()), {"KEY": "sk-backend"}, None)
    assert faults == []
    return snapshot.apis["raw"]


def call(method: str = "GET", headers: list[Header] | None = None) -> Call:
    """A request for `files/a` without a body."""
    made = Call(method, "/raw/files/a", b"", headers or [], RequestBody(never_received, None, False), "id-1")
    made.operation = passthrough_operation(method, "files/a")
    return made


async def body(reply: Reply) -> bytes:
    """All of the answer."""
    return reply.body if isinstance(reply.body, bytes) else b"".join([piece async for piece in reply.body])


@asynccontextmanager
async def forwarding(script: Script, more: str = "", kind: str = "passthrough") -> AsyncIterator[tuple[Any, RawServer]]:
    """The policy before a server that follows a script."""
    client = BackendClient(NoTokens(), 10)
    with RawServer(script) as server:
        policy = Forward(entry(f'url: "{server.url}/v1"{more and ", " + more}', kind), client)
        try:
            yield lambda made: policy(made, passed_on), server
        finally:
            await client.aclose()


def closing(*parts: bytes) -> Script:
    """A server that sends these, and tells when its connection is closed."""

    async def script(peer: Peer) -> None:
        await peer.request()
        for part in parts:
            await peer.send(part)
        await peer.until_closed(f"{peer.number} closed")

    return script


TRICKS = b"Authorization, X-Request-Id, Host, Accept-Encoding, Content-Length, Transfer-Encoding, X-Hop"


@pytest.mark.parametrize("kind", ["passthrough", "openai"])
async def test_connection_takes_away_nothing_of_the_gateways(kind: str) -> None:
    """What a caller names in Connection is gone from its own headers, not from those that the gateway sets."""
    sent = [(b"connection", TRICKS), (b"x-hop", b"1"), (b"x-kept", b"1"), (b"authorization", b"Bearer of-the-caller")]
    async with forwarding(always(OK), CREDENTIALS, kind) as (forward, server):
        await forward(call("POST", sent))
        request = server.requests[0]
    assert request.header(b"authorization") == b"Bearer sk-backend"
    assert request.header(b"x-request-id") == b"id-1"
    assert request.header(b"host") == server.url.removeprefix("http://").encode()
    assert request.header(b"content-length") == b"0"
    assert request.header(b"accept-encoding") == (b"identity" if kind == "openai" else None)
    assert (request.header(b"x-kept"), request.header(b"x-hop")) == (b"1", None)
    assert [request.header(name) for name in (b"connection", b"transfer-encoding")] == [None, None]


HEAD = b"HTTP/1.1 200 OK\r\n"
BODILESS: dict[str, tuple[str, bytes, int, list[Header]]] = {
    "HEAD with a length": ("HEAD", HEAD + b"Content-Length: 5\r\n", 200, [(b"content-length", b"5")]),
    "HEAD with chunks": ("HEAD", HEAD + b"Transfer-Encoding: chunked\r\n", 200, []),
    "204": ("GET", b"HTTP/1.1 204 No Content\r\nETag: a\r\n", 204, [(b"etag", b"a")]),
    "204 with a length": ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n", 204, [(b"content-length", b"5")]),
    "204 with chunks": ("GET", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n", 204, []),
    "304 with a length": (
        "GET",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n",
        304,
        [(b"content-length", b"5")],
    ),
    "a length of nothing": ("GET", HEAD + b"Content-Length: 0\r\n", 200, [(b"content-length", b"0")]),
}


@pytest.mark.parametrize("is_screened", [False, True])
async def test_what_is_screened_comes_whole(is_screened: bool) -> None:
    """Of a text that is fetched in parts, none says what all of it does."""
    asked = call(headers=[(b"range", b"bytes=0-5"), (b"if-range", b'"x"')])
    screening: Any = object()
    asked.answer_screening = screening if is_screened else None
    async with forwarding(always(OK)) as (forward, server):
        await forward(asked)
        request = server.requests[0]
    expected = (None, None) if is_screened else (b"bytes=0-5", b'"x"')
    assert (request.header(b"range"), request.header(b"if-range")) == expected


@pytest.mark.parametrize("name", BODILESS)
async def test_answers_without_a_body(name: str) -> None:
    """Their headers are kept, nothing is waited for, and the connection carries the next call."""
    method, head, status, headers = BODILESS[name]
    async with forwarding(always(head + b"\r\n")) as (forward, server):
        for _ in range(3):
            reply = await forward(call(method))
            assert (reply.status, reply.headers, await body(reply)) == (status, headers, b"")
        assert server.connections == 1


async def test_trailers_are_left_out() -> None:
    """HTTP lets a gateway drop them; they are neither headers nor body, and the connection carries the next call."""
    answer = CHUNKED + b"5;part=1\r\nhello\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\n\r\n"
    async with forwarding(always(answer)) as (forward, server):
        for _ in range(2):
            reply = await forward(call())
            assert (reply.headers, await body(reply)) == ([], b"hello")
        assert server.connections == 1


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"gzip", b"chunked, chunked", b"identity"])
async def test_transfer_codings_that_were_not_asked_for(coding: bytes) -> None:
    """Nobody asked for any but chunks (there is no TE), so the answer is no valid HTTP: 502 and a closed connection."""
    answer = HEAD + b"Transfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n"
    async with forwarding(closing(answer)) as (forward, server):
        with pytest.raises(ProviderError) as raised:
            await forward(call())
        await server.told("1 closed")
    assert (raised.value.status, raised.value.code) == (502, "BackendConnectionFailure")


NOT_PASSED_ON = {
    "a status that HTTP does not have": b"HTTP/1.1 700 Odd\r\nContent-Length: 9\r\n\r\nhello",
    "a web page": HEAD + b"Content-Type: text/html\r\nContent-Length: 9\r\n\r\nhello",
}


@pytest.mark.parametrize("name", NOT_PASSED_ON)
async def test_an_answer_not_passed_on_closes_its_connection(name: str) -> None:
    """502 BackendInvalidResponse, and the backend need not send the rest."""
    async with forwarding(closing(NOT_PASSED_ON[name]), kind="openai") as (forward, server):
        with pytest.raises(ProviderError) as raised:
            await forward(call())
        await server.told("1 closed")
    assert (raised.value.status, raised.value.code) == (502, "BackendInvalidResponse")


async def not_read(reply: Reply) -> None:
    """As if the head could not be sent to the caller."""


async def half_read(reply: Reply) -> None:
    """As if the caller left."""
    assert not isinstance(reply.body, bytes)
    assert await anext(aiter(reply.body)) == b"hello"


@pytest.mark.parametrize("read", [not_read, half_read])
@pytest.mark.parametrize("proxied", [False, True], ids=["own transport", "transport for proxies"])
async def test_an_answer_given_up_closes_its_connection(read: Callable[[Reply], Any], proxied: bool) -> None:
    """Whether anybody has begun to read it or not: the backend is told to stop, and the place is free again."""
    client = BackendClient(NoTokens(), 1)
    with RawServer(closing(CHUNKED + b"5\r\nhello\r\n")) as server:
        backend = f'url: "http://127.0.0.1:1", proxy: "{server.url}"' if proxied else f'url: "{server.url}"'
        policy = Forward(entry(backend), client)
        for number in (1, 2):
            reply = await policy(call(), passed_on)
            await read(reply)
            await reply.body.aclose()  # type: ignore[union-attr]
            await server.told(f"{number} closed")
        await client.aclose()
