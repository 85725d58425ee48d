"""When there are as many connections as allowed, for ours and httpx2's alike."""

import asyncio

import httpx2
import pytest

from tests.backends.exchanges import OK, always, close, fetch, get, once, pieces, post, until
from tests.backends.raw_server import Peer

CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


async def test_no_more_connections_than_allowed(make_transport, serve):
    """Fifty requests on three connections: all are answered."""
    server = serve(always(OK))
    transport = make_transport(max_connections=3)
    answers = await asyncio.gather(*[fetch(transport, get(server.url)) for _ in range(50)])
    assert [received for _, received in answers] == [b"ok"] * 50
    assert server.connections <= 3


async def test_first_come_first_served(make_transport, serve):
    """Requests that wait for a connection get one in the order in which they came."""
    server = serve(always(OK))
    transport = make_transport(max_connections=1)
    await asyncio.gather(*[fetch(transport, get(f"{server.url}/{number}")) for number in range(20)])
    assert [request.target for request in server.requests] == [b"/%d" % number for number in range(20)]


async def test_first_come_first_served_when_connections_close(make_ours, serve):
    """A place that becomes free goes to the one who has waited longest as well."""
    server = serve(once(CLOSING))
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
    server = serve(always(OK))
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
    server = serve(always(OK))
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
    server = serve(always(OK))
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
