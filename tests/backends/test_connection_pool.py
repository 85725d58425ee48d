"""Which connection a request goes out on, for ours and httpx2's alike."""

import asyncio

import pytest

from tests.backends.exchanges import OK, always, body, fetch, get, pieces, post, until
from tests.backends.raw_server import Peer
from tests.clock import Clock

HEAD = b"HTTP/1.1 200 OK\r\n"

KEEPS_OPEN = {
    "HTTP/1.1": OK,
    "chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
}
CLOSES = {
    "Connection: close": HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
}


def numbered(peer: Peer):
    """Answers with the connection's number."""
    return HEAD + b"Content-Length: 3\r\n\r\n%03d" % peer.number


@pytest.mark.parametrize("name", KEEPS_OPEN)
async def test_one_connection_serves_many_requests(transport, serve, name):
    """A connection that the server keeps open is used again."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.answer(KEEPS_OPEN[name])

    server = serve(script)
    for _ in range(3):
        await fetch(transport, get(server.url))
    assert server.connections == 1


@pytest.mark.parametrize("name", CLOSES)
async def test_a_connection_that_is_to_close_is_closed(transport, serve, name):
    """A server that says it closes, or speaks HTTP/1.0, gets a new connection for every request."""

    async def script(peer: Peer) -> None:
        await peer.answer(CLOSES[name])
        await peer.until_closed()

    server = serve(script)
    for _ in range(3):
        await fetch(transport, get(server.url))
    assert server.connections == 3
    await server.told("closed")


async def test_http_1_0_may_ask_to_stay(ours, serve):
    """HTTP/1.0 with keep-alive is used again; httpx2 always closes."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.answer(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")

    server = serve(script)
    for _ in range(3):
        await fetch(ours, get(server.url))
    assert server.connections == 1


async def test_origins_do_not_share_connections(transport, serve):
    """Every server has connections of its own."""
    servers = [serve(always(OK)), serve(always(OK))]
    for server in servers * 2:
        await fetch(transport, get(server.url))
    assert [server.connections for server in servers] == [1, 1]


async def test_the_last_used_connection_is_used_first(ours, serve):
    """So that in a quiet hour the others can expire."""

    async def script(peer: Peer) -> None:
        while True:
            request = await peer.request()
            if request.target != b"/now":
                await peer.told(request.target.decode())
            await peer.send(numbered(peer))

    server = serve(script)
    first = asyncio.create_task(fetch(ours, get(f"{server.url}/first")))
    await until(lambda: server.connections == 1)
    second = asyncio.create_task(fetch(ours, get(f"{server.url}/second")))
    await until(lambda: len(server.requests) == 2)
    server.tell("/second")
    await second
    server.tell("/first")
    await first
    for _ in range(2):
        assert (await fetch(ours, get(f"{server.url}/now")))[1] == b"001"


async def test_back_in_the_pool_before_the_body_is_read(ours, serve):
    """The connection of a whole answer is free while its reader still has the body before it."""
    server = serve(always(OK))
    responses = [await ours.handle_async_request(get(server.url)) for _ in range(3)]
    assert server.connections == 1
    assert [await body(response) for response in responses] == [b"ok"] * 3


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_an_idle_connection_that_the_server_closed_is_not_used(transport, serve, how):
    """A connection that went while it was idle costs the next request nothing, whatever its body."""

    async def script(peer: Peer) -> None:
        await peer.answer(OK)
        if peer.number == 1:
            await peer.told("answered")
            if how == "reset":
                peer.reset()
            else:
                peer.writer.close()
                await peer.writer.wait_closed()
            peer.server.tell("gone")

    server = serve(script)
    await fetch(transport, get(server.url))
    server.tell("answered")
    await server.told("gone")
    assert (await fetch(transport, post(server.url, pieces([b"a"]))))[1] == b"ok"
    assert server.connections == 2


async def test_unasked_bytes_end_an_idle_connection(ours, serve):
    """What a server says without being asked is never the answer to the next request."""

    async def script(peer: Peer) -> None:
        if peer.number > 1:
            await peer.answer(OK)
            return
        await peer.answer(OK)
        await peer.told("answered")
        await peer.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await peer.until_closed()

    server = serve(script)
    await fetch(ours, get(server.url))
    server.tell("answered")
    await server.told("closed")
    assert (await fetch(ours, get(server.url)))[0].status_code == 200
    assert server.connections == 2


async def test_surplus_bytes_end_the_connection(ours, serve):
    """Two answers to one request: the second one is nobody's."""

    async def script(peer: Peer) -> None:
        await peer.answer(OK + b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        await peer.until_closed()

    server = serve(script)
    for _ in range(2):
        assert (await fetch(ours, get(server.url)))[0].status_code == 200
    assert server.connections == 2


async def test_idle_connections_expire(make_ours, serve):
    """A connection that was idle for too long is closed and not used again."""

    async def script(peer: Peer) -> None:
        await peer.answer(OK)
        if peer.number == 1:
            await peer.answer(OK)
            await peer.until_closed()

    clock = Clock()
    ours = make_ours(keepalive_expiry=30.0, clock=clock)
    server = serve(script)
    await fetch(ours, get(server.url))
    clock.time += 29.9
    await fetch(ours, get(server.url))
    assert server.connections == 1
    clock.time += 30.0
    await fetch(ours, get(server.url))
    assert server.connections == 2
    await server.told("closed")


async def test_expired_connections_are_closed_without_traffic(make_ours, serve):
    """Nobody has to ask for a connection for the idle ones to be closed."""

    async def script(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.until_closed()

    server = serve(script)
    await fetch(make_ours(keepalive_expiry=0.05), get(server.url))
    await server.told("closed")
