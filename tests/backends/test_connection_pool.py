"""Which connection a request goes out on, for ours and httpx2's alike."""

import asyncio

import httpx2
import pytest

from tests.backends.exchanges import OK, body, close, fetch, get, pieces, post, until
from tests.backends.raw_server import Peer

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


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def ok(peer: Peer) -> None:
    """Answers every request."""
    while True:
        await peer.answer(OK)


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
    servers = [serve(ok), serve(ok)]
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
    server = serve(ok)
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


def dies_on_second_request(how: str, first_bytes: bytes = b""):
    """The first connection answers once and dies when it is asked again; the others answer."""

    async def script(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.request()
        if peer.number > 1:
            await peer.send(OK)
            return
        if first_bytes:
            await peer.send(first_bytes)
        if how == "reset":
            peer.reset()

    return script


@pytest.mark.parametrize("how", ["closed", "reset"])
@pytest.mark.parametrize("content", [None, b"content"], ids=["no body", "bytes"])
async def test_a_request_that_met_a_dead_connection_is_sent_again(ours, serve, how, content):
    """Closed before any byte came back, on a connection used before: a fresh one is tried; httpx2 gives up."""
    server = serve(dies_on_second_request(how))
    for _ in range(2):
        assert (await fetch(ours, post(server.url, content)))[1] == b"ok"
    assert server.connections == 2
    assert [request.body for request in server.requests] == [content or b""] * 3


async def test_a_streamed_request_is_not_sent_again(ours, serve):
    """A body that was taken from its source cannot be sent a second time."""
    server = serve(dies_on_second_request("closed"))
    await fetch(ours, get(server.url))
    with pytest.raises(httpx2.RemoteProtocolError):
        await fetch(ours, post(server.url, pieces([b"a"])))
    assert server.connections == 1


async def test_a_request_that_got_a_byte_is_not_sent_again(ours, serve):
    """A server that began to answer has seen the request."""
    server = serve(dies_on_second_request("closed", b"H"))
    await fetch(ours, get(server.url))
    with pytest.raises(httpx2.RemoteProtocolError):
        await fetch(ours, get(server.url))
    assert server.connections == 1


async def test_a_request_that_timed_out_is_not_sent_again(ours, serve):
    """A silent server is not a dead connection."""

    async def script(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.until_closed()

    server = serve(script)
    await fetch(ours, get(server.url))
    with pytest.raises(httpx2.ReadTimeout):
        await fetch(ours, get(server.url, read=0.05))
    assert server.connections == 1


async def test_a_request_is_sent_again_only_once(ours, serve):
    """The second try is on a fresh connection although others are idle, and it is the last."""

    async def script(peer: Peer) -> None:
        if peer.number > 3:
            await peer.request()
            return
        await peer.request()
        if not peer.server.flag("warm").is_set():
            peer.server.tell(f"waiting {peer.number}")
            await peer.told("warm")
        await peer.send(OK)
        await peer.request()

    server = serve(script)
    tasks = [asyncio.create_task(fetch(ours, get(server.url))) for _ in range(3)]
    for number in (1, 2, 3):
        await server.told(f"waiting {number}")
    server.tell("warm")
    await asyncio.gather(*tasks)
    with pytest.raises(httpx2.RemoteProtocolError):
        await fetch(ours, get(server.url))
    assert server.connections == 4
    assert len(server.requests) == 5


async def test_a_fresh_connection_takes_the_place_of_an_idle_one(make_ours, serve):
    """The second try does not fail for want of a place when the others are idle."""

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number <= 2 and not peer.server.flag("warm").is_set():
            peer.server.tell(f"waiting {peer.number}")
            await peer.told("warm")
        await peer.send(OK)
        await peer.request()

    server = serve(script)
    ours = make_ours(max_connections=2)
    tasks = [asyncio.create_task(fetch(ours, get(server.url))) for _ in range(2)]
    for number in (1, 2):
        await server.told(f"waiting {number}")
    server.tell("warm")
    await asyncio.gather(*tasks)
    assert (await fetch(ours, get(server.url, pool=0.5)))[1] == b"ok"
    assert server.connections == 3


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
    clock.now += 29.9
    await fetch(ours, get(server.url))
    assert server.connections == 1
    clock.now += 30.0
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


async def test_no_more_connections_than_allowed(make_transport, serve):
    """Fifty requests on three connections: all are answered."""
    server = serve(ok)
    transport = make_transport(max_connections=3)
    answers = await asyncio.gather(*[fetch(transport, get(server.url)) for _ in range(50)])
    assert [received for _, received in answers] == [b"ok"] * 50
    assert server.connections <= 3


async def test_first_come_first_served(make_transport, serve):
    """Requests that wait for a connection get one in the order in which they came."""
    server = serve(ok)
    transport = make_transport(max_connections=1)
    await asyncio.gather(*[fetch(transport, get(f"{server.url}/{number}")) for number in range(20)])
    assert [request.target for request in server.requests] == [b"/%d" % number for number in range(20)]


async def test_first_come_first_served_when_connections_close(make_ours, serve):
    """A place that becomes free goes to the one who has waited longest as well."""

    async def script(peer: Peer) -> None:
        await peer.answer(CLOSES["Connection: close"])

    server = serve(script)
    ours = make_ours(max_connections=1)
    await asyncio.gather(*[fetch(ours, get(f"{server.url}/{number}")) for number in range(20)])
    assert [request.target for request in server.requests] == [b"/%d" % number for number in range(20)]
    assert server.connections == 20


async def test_waiting_for_a_connection_times_out(make_transport, serve):
    """The pool limit holds, and whoever gave up waiting does not take a connection from others."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.told("go on")
        await peer.send(OK)
        await peer.answer(OK)

    server = serve(script)
    transport = make_transport(max_connections=1)
    first = asyncio.create_task(fetch(transport, get(server.url)))
    await until(lambda: len(server.requests) == 1)
    with pytest.raises(httpx2.PoolTimeout):
        await fetch(transport, get(server.url, pool=0.05))
    third = asyncio.create_task(fetch(transport, get(server.url)))
    server.tell("go on")
    assert [(await task)[1] for task in (first, third)] == [b"ok", b"ok"]
    assert server.connections == 1


async def test_cancelled_while_waiting(make_transport, serve):
    """Requests that are cancelled while they wait leave every place usable, even if their turn had just come."""

    async def script(peer: Peer) -> None:
        while True:
            request = await peer.request()
            if request.target == b"/wait":
                await peer.told("go on")
            await peer.send(OK)

    server = serve(script)
    transport = make_transport(max_connections=2)
    busy = [asyncio.create_task(fetch(transport, get(f"{server.url}/wait"))) for _ in range(2)]
    await until(lambda: len(server.requests) == 2)
    waiting = [asyncio.create_task(fetch(transport, get(server.url))) for _ in range(10)]
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    server.tell("go on")
    await busy[0]
    waiting[1].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await busy[1]
    answers = await asyncio.gather(*[fetch(transport, get(server.url)) for _ in range(4)])
    assert [received for _, received in answers] == [b"ok"] * 4


async def test_a_turn_that_comes_to_one_who_left_is_passed_on(make_ours, serve):
    """Cancelled in the very moment the connection was handed over: the next in line gets it."""
    server = serve(ok)
    ours = make_ours(max_connections=1)
    first = await ours.handle_async_request(get(server.url))
    pool = next(iter(ours._pools.values()))
    connection = pool.take_idle()
    assert connection is not None
    second = asyncio.create_task(fetch(ours, get(server.url)))
    third = asyncio.create_task(fetch(ours, get(server.url)))
    await asyncio.sleep(0)
    pool.release(connection)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert (await third)[1] == b"ok"
    assert server.connections == 1
    await close(first)


async def test_a_connection_that_dies_on_its_way_to_a_waiter(make_ours, serve):
    """A connection that closes between being handed over and being used is replaced, whatever the body."""
    server = serve(ok)
    ours = make_ours(max_connections=1)
    await fetch(ours, get(server.url))
    pool = next(iter(ours._pools.values()))
    connection = pool.take_idle()
    assert connection is not None
    waiting = asyncio.create_task(fetch(ours, post(server.url, pieces([b"a"]))))
    await asyncio.sleep(0)
    pool.release(connection)
    connection.close()
    assert (await waiting)[1] == b"ok"
    assert server.connections == 2


async def test_failed_connections_give_their_place_back(make_ours, serve):
    """Connections that could not be made do not count."""
    server = serve(ok)
    ours = make_ours(max_connections=1)
    await fetch(ours, get(server.url))
    url = server.url
    server.stop()
    for _ in range(3):
        with pytest.raises(httpx2.ConnectError):
            await fetch(ours, get(url, pool=0.5))


async def test_closing_the_transport_ends_waiting(make_ours, serve):
    """Whoever waits for a connection when the transport closes is told so."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.until_closed()

    server = serve(script)
    ours = make_ours(max_connections=1)
    tasks = [asyncio.create_task(fetch(ours, get(server.url))) for _ in range(3)]
    await until(lambda: len(server.requests) == 1)
    await ours.aclose()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [httpx2.ReadError, httpx2.ConnectError, httpx2.ConnectError]
    await server.told("closed")


async def test_closing_the_transport_closes_idle_connections(transport, serve):
    """Nothing stays open."""

    async def script(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.until_closed()

    server = serve(script)
    await fetch(transport, get(server.url))
    await transport.aclose()
    await server.told("closed")
