"""Whoever leaves ends nothing for the others; whoever leaves last ends everything."""

import asyncio
from functools import partial

import pytest

from gateway.cache.flights import FlightFailed, Flights
from gateway.call import close_body
from gateway.errors import GatewayError
from tests.backends.raw_server import Peer
from tests.cache.upstream import KEY, Backend, Collector, Upstream, body_of, joined, read
from tests.clock import settle
from tests.policies.test_forward import CHUNKED, call, forwarding


async def test_a_leader_who_is_cancelled_before_the_head(flights: Flights) -> None:
    """The followers have the answer that it asked for."""
    backend = Backend(b"answer", waits=True)
    leader = asyncio.create_task(flights.begin(KEY, backend.fetch).reply())
    followers = [asyncio.create_task(read(joined(flights))) for _ in range(2)]
    await settle()
    leader.cancel()
    await settle()
    assert leader.cancelled()
    backend.answers.set()
    assert await asyncio.gather(*followers) == [b"answer", b"answer"]
    assert (backend.calls, backend.cancelled) == (1, 0)


async def test_a_leader_who_leaves_in_mid_stream(flights: Flights, upstream: Upstream) -> None:
    """The followers do not notice; the tee has all of it."""
    collector = Collector()
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch, collector))
    upstream.send(b"a")
    assert await anext(leader) == b"a"
    follower = asyncio.create_task(read(joined(flights)))
    await settle()
    await close_body(leader)
    upstream.send(b"b")
    upstream.end()
    assert await follower == b"ab"
    assert (upstream.cancelled, collector.pieces, collector.ends) == (0, [b"a", b"b"], [True])


async def test_a_leader_who_leaves_before_the_task_has_begun(flights: Flights) -> None:
    """Alone, it has called nobody; with a follower, the call is made."""
    backend = Backend(b"answer")
    await flights.begin(KEY, backend.fetch).aclose()
    assert (backend.calls, len(flights)) == (0, 0)
    leader, follower = flights.begin(KEY, backend.fetch), joined(flights)
    await leader.aclose()
    assert await read(follower) == b"answer"
    assert backend.calls == 1


async def test_all_leave_before_the_head(flights: Flights) -> None:
    """The call is cancelled; the next one asks anew."""
    backend, collector = Backend(b"answer", waits=True), Collector()
    waiting = [asyncio.create_task(flights.begin(KEY, backend.fetch, collector).reply())]
    waiting += [asyncio.create_task(joined(flights).reply()) for _ in range(2)]
    await settle()
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert flights.join(KEY) is None
    await settle()
    assert (backend.calls, backend.cancelled, collector.ends) == (1, 1, [False])


async def test_all_leave_in_mid_stream(flights: Flights, upstream: Upstream) -> None:
    """When the last one's leaving returns, the backend's answer is closed, and the next one asks anew."""
    collector = Collector()
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch, collector))
    upstream.send(b"a")
    follower = await body_of(joined(flights))
    assert await anext(follower) == b"a"
    waiting = asyncio.ensure_future(anext(follower))
    await settle()
    await close_body(leader)
    assert upstream.closed == 0
    waiting.cancel()
    await close_body(follower)
    assert (upstream.closed, upstream.cancelled, collector.ends) == (1, 1, [False])
    assert flights.join(KEY) is None
    await settle()
    assert waiting.cancelled()


async def test_leaving_twice_is_leaving_once(flights: Flights, upstream: Upstream) -> None:
    """Nobody else's part ends with it."""
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch))
    follower = asyncio.create_task(read(joined(flights)))
    await close_body(leader)
    await close_body(leader)
    with pytest.raises(StopAsyncIteration):
        await anext(leader)
    upstream.send(b"a")
    upstream.end()
    assert await follower == b"a"


async def test_who_is_dropped_has_left(flights: Flights, upstream: Upstream) -> None:
    """A reply that nobody has begun to send, as when the worker stops, keeps no connection open."""
    reply = await flights.begin(KEY, Backend(upstream).fetch).reply()
    assert len(flights) == 1
    del reply
    await settle()
    assert (upstream.closed, len(flights)) == (1, 0)


async def test_the_process_stops(flights: Flights, upstream: Upstream) -> None:
    """The backends' answers are closed, and nobody waits for ever."""
    unanswered = Backend(b"", waits=True)
    waiting = asyncio.create_task(flights.begin(b"other", unanswered.fetch).reply())
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch))
    follower = asyncio.create_task(read(joined(flights)))
    await settle()
    await flights.aclose()
    assert (upstream.closed, unanswered.cancelled) == (1, 1)
    for wait in (anext(leader), waiting):
        with pytest.raises(GatewayError) as raised:
            await wait
        assert raised.value.code == "GatewayStopping"
    with pytest.raises(FlightFailed):
        await follower


async def test_a_task_that_somebody_else_cancels(flights: Flights, upstream: Upstream) -> None:
    """The flight is over for everybody then too."""
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch))
    waiting = asyncio.ensure_future(anext(leader))
    await settle()
    next(iter(flights._flying)).cancel()
    with pytest.raises(GatewayError) as raised:
        await waiting
    assert raised.value.code == "GatewayStopping"


async def test_a_real_backend_hears_of_it(flights: Flights) -> None:
    """Its connection is closed when the last one leaves, and not before."""

    async def script(peer: Peer) -> None:
        await peer.answer(CHUNKED + b"1\r\na\r\n")
        await peer.until_closed()

    async with forwarding(script) as (forward, server):
        leader = await body_of(flights.begin(KEY, partial(forward, call())))
        follower = await body_of(joined(flights))
        assert [await anext(leader), await anext(follower)] == [b"a", b"a"]
        await close_body(leader)
        assert not server.flag("closed").is_set()
        await close_body(follower)
        await server.told("closed")
        assert len(server.requests) == 1
