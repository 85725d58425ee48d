"""Identical requests in flight make one call, whose answer goes to each caller at its own pace."""

import asyncio

import pytest

from gateway.cache.flights import Flights
from gateway.call import Reply, close_body
from tests.cache.upstream import EVENTS, KEY, Backend, Collector, Upstream, body_of, joined, read, rest_of
from tests.clock import settle


async def test_a_thousand_at_once_make_one_call(flights: Flights) -> None:
    """Each has the answer, with headers of its own."""
    backend, collector = Backend(b"answer", waits=True), Collector()

    async def call() -> Reply:
        participant = flights.join(KEY) or flights.begin(KEY, backend.fetch, collector)
        return await participant.reply()

    calls = [asyncio.create_task(call()) for _ in range(1_000)]
    await settle()
    backend.answers.set()
    replies = await asyncio.gather(*calls)
    assert backend.calls == 1
    assert {(reply.status, reply.body) for reply in replies} == {(200, b"answer")}
    assert len({id(reply.headers) for reply in replies}) == 1_000
    assert (collector.pieces, collector.ends) == ([b"answer"], [True])


async def test_a_thousand_share_a_stream(flights: Flights, upstream: Upstream) -> None:
    """Each has every piece, as it comes; each piece is read once."""
    backend, collector = Backend(upstream), Collector()
    readers = [asyncio.create_task(read(flights.begin(KEY, backend.fetch, collector)))]
    readers += [asyncio.create_task(read(joined(flights))) for _ in range(999)]
    for piece in (b"a", b"b", b"c"):
        upstream.send(piece)
        await settle()
    upstream.end()
    assert set(await asyncio.gather(*readers)) == {b"abc"}
    assert (backend.calls, upstream.read) == (1, 3)
    assert (collector.pieces, collector.ends) == ([b"a", b"b", b"c"], [True])


async def test_different_keys_share_nothing(flights: Flights) -> None:
    """Each has a flight of its own."""
    one, other = Backend(b"one"), Backend(b"other")
    participants = flights.begin(KEY, one.fetch), flights.begin(b"another", other.fetch)
    assert await asyncio.gather(*map(read, participants)) == [b"one", b"other"]


async def test_a_flight_begun_beside_another_is_the_one_to_join(flights: Flights, upstream: Upstream) -> None:
    """Whoever may not join, because it wants a fresh answer, has one that others may share; the older one's end
    does not end that."""
    older = await body_of(flights.begin(KEY, Backend(upstream).fetch))
    fresh = Backend(b"fresh", waits=True)
    newer = asyncio.create_task(read(flights.begin(KEY, fresh.fetch)))
    await close_body(older)
    follower = asyncio.create_task(read(joined(flights)))
    await settle()
    fresh.answers.set()
    assert await asyncio.gather(newer, follower) == [b"fresh", b"fresh"]
    assert fresh.calls == 1


async def test_what_is_over_is_not_joined(flights: Flights, upstream: Upstream) -> None:
    """What the tee has kept is there by then: until it is told of the end, others join."""
    openness: list[bool] = []

    class Looking(Collector):
        def on_end(self, complete: bool) -> None:
            openness.append(KEY in flights._open)

    leader = flights.begin(KEY, Backend(upstream).fetch, Looking())
    upstream.send(b"a")
    upstream.end()
    slow = await body_of(joined(flights))
    assert await read(leader) == b"a"
    assert (openness, flights.join(KEY)) == ([True], None)
    assert await rest_of(slow) == [b"a"]


async def test_a_headers_copy_is_the_participants_own(flights: Flights, upstream: Upstream) -> None:
    """What one policy adds to its reply is not in another's."""
    leader, follower = flights.begin(KEY, Backend(upstream).fetch), joined(flights)
    upstream.send(b"a")
    replies = [await leader.reply(), await follower.reply()]
    replies[0].headers.append((b"x-cache", b"MISS"))
    assert replies[1].headers == EVENTS
    await leader.aclose()
    await follower.aclose()


async def test_nothing_is_read_that_nobody_wants(flights: Flights, upstream: Upstream) -> None:
    """The backend is as fast as the fastest participant, and no faster."""
    upstream.send(b"a", b"b", b"c")
    upstream.end()
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch))
    follower = await body_of(joined(flights))
    assert upstream.read == 1
    assert await anext(leader) == b"a"
    await settle()
    assert upstream.read == 1
    assert [await anext(follower), await anext(follower)] == [b"a", b"b"]
    await settle()
    assert upstream.read == 2
    assert await rest_of(follower) == [b"c"]
    assert await rest_of(leader) == [b"b", b"c"]


async def test_who_joins_late_has_everything(flights: Flights, upstream: Upstream) -> None:
    """From the beginning, and then what comes."""
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch))
    upstream.send(b"a", b"b")
    assert [await anext(leader), await anext(leader)] == [b"a", b"b"]
    late = asyncio.create_task(read(joined(flights)))
    await settle()
    upstream.send(b"c")
    upstream.end()
    assert await rest_of(leader) == [b"c"]
    assert await late == b"abc"


async def test_empty_pieces_are_not_passed_on(flights: Flights, upstream: Upstream) -> None:
    """A follower's first piece is something."""
    upstream.send(b"", b"", b"a", b"", b"b")
    upstream.end()
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch))
    assert await rest_of(leader) == [b"a", b"b"]


async def test_a_cancelled_wait_loses_nothing(flights: Flights, upstream: Upstream) -> None:
    """Neither for the one who was cancelled and goes on, nor for the others; the backend does not notice."""
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(leader)
    assert (upstream.asked, upstream.cancelled) == (1, 0)
    follower = asyncio.create_task(read(joined(flights)))
    upstream.send(b"a", b"b")
    upstream.end()
    assert await rest_of(leader) == [b"a", b"b"]
    assert await follower == b"ab"
