"""What a flight keeps of an answer, and that it keeps nothing when it is over."""

import asyncio
import gc

import pytest

from gateway.cache.flight import PIECE_OVERHEAD_BYTES, Flight
from gateway.cache.flights import Flights, Participant
from gateway.call import close_body
from gateway.errors import ProviderError
from tests.cache.upstream import KEY, Backend, Upstream, body_of, joined, read, rest_of
from tests.clock import settle

LARGEST = 10 * (100 + PIECE_OVERHEAD_BYTES)
PIECES = [bytes([number]) * 100 for number in range(40)]


def kept(flights: Flights) -> int:
    """How many pieces the one flight holds."""
    (flight,) = flights._flying.values()
    return len(flight._pieces)


@pytest.fixture
def small() -> Flights:
    """Flights that share no more than ten pieces."""
    return Flights(LARGEST)


async def test_a_long_answer_is_not_joined_any_more(small: Flights, upstream: Upstream) -> None:
    """Nor is it kept: what all have taken is let go of. The next one begins a flight of its own meanwhile."""
    upstream.send(*PIECES)
    upstream.end()
    leader = await body_of(small.begin(KEY, Backend(upstream).fetch))
    for number in range(10):
        assert await anext(leader) == PIECES[number]
    follower = await body_of(joined(small))
    assert await anext(leader) == PIECES[10]
    assert small.join(KEY) is None
    again = Backend(b"another answer")
    assert await read(small.begin(KEY, again.fetch)) == b"another answer"
    await settle()
    taken = [await anext(follower) for _ in range(11)]
    for number in range(11, 40):
        assert await anext(leader) == PIECES[number]
        taken.append(await anext(follower))
        assert kept(small) <= 2
    assert taken == PIECES
    for body in (leader, follower):
        with pytest.raises(StopAsyncIteration):
            await anext(body)


async def test_the_backend_waits_for_who_is_far_behind(small: Flights, upstream: Upstream) -> None:
    """Nothing is lost to anybody, and no more than the limit is kept; when the slow one leaves, it goes on."""
    upstream.send(*PIECES)
    upstream.end()
    leader = await body_of(small.begin(KEY, Backend(upstream).fetch))
    slow, slower = await body_of(joined(small)), await body_of(joined(small))
    quick = asyncio.create_task(rest_of(leader))
    for _ in range(5):
        await settle()
    assert (upstream.read, kept(small)) == (11, 11)
    assert await anext(slow) == PIECES[0]
    await settle()
    assert upstream.read == 11
    assert await anext(slower) == PIECES[0]
    await settle()
    assert (upstream.read, kept(small)) == (12, 11)
    await close_body(slower)
    assert await rest_of(slow) == PIECES[1:]
    assert await quick == PIECES


async def test_who_is_far_behind_leaves(small: Flights, upstream: Upstream) -> None:
    """Nobody waits for it any more."""
    upstream.send(*PIECES)
    upstream.end()
    leader = await body_of(small.begin(KEY, Backend(upstream).fetch))
    slow = await body_of(joined(small))
    quick = asyncio.create_task(rest_of(leader))
    for _ in range(5):
        await settle()
    assert upstream.read == 11
    await close_body(slow)
    assert await quick == PIECES


async def test_small_pieces_count_for_what_they_take(small: Flights, upstream: Upstream) -> None:
    """A byte at a time, an answer would take many times its length."""
    upstream.send(*[b"xy"] * 1_000)
    upstream.end()
    leader = await body_of(small.begin(KEY, Backend(upstream).fetch))
    slow = await body_of(joined(small))
    quick = asyncio.create_task(rest_of(leader))
    await settle()
    for _ in range(40):
        await settle()
    assert kept(small) == LARGEST // (2 + PIECE_OVERHEAD_BYTES) + 1
    assert len(await rest_of(slow)) == len(await quick) == 1_000


@pytest.mark.parametrize("end", ["whole", "fails", "left"])
async def test_a_flight_is_freed_without_the_collector(flights: Flights, upstream: Upstream, end: str) -> None:
    """No circle of objects holds it, and with it an answer."""
    # Other tests' errors may hold theirs.
    before = in_memory()
    gc.disable()
    try:
        await fly(flights, upstream, end)
        await settle()
        assert in_memory() == before
    finally:
        gc.enable()


def in_memory() -> set[int]:
    """The flights and participants there are, by their addresses."""
    return {id(each) for each in gc.get_objects() if isinstance(each, (Flight, Participant))}


async def fly(flights: Flights, upstream: Upstream, end: str) -> None:
    """A flight with a follower, to one of its ends."""
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch))
    upstream.send(b"a")
    follower = await body_of(joined(flights))
    if end == "left":
        waiting = asyncio.ensure_future(anext(leader))
        await waiting
        await close_body(leader)
        await close_body(follower)
        return
    upstream.end(ProviderError("Timeout") if end == "fails" else None)
    for body in (leader, follower):
        try:
            assert await rest_of(body) == [b"a"]
            assert end == "whole"
        except ProviderError:
            assert end == "fails"
