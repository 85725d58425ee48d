"""Identical requests in flight: one call, whoever comes, goes, hurries or waits; nothing is left when it is over."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.cache.flight import PIECE_OVERHEAD_BYTES, Flight
from gateway.cache.flights import FlightFailed, Flights, Participant
from gateway.call import Reply
from gateway.errors import CallerError, GatewayError, ProviderError
from tests.cache.upstream import EVENTS, Backend, Collector, Upstream, read
from tests.clock import settle

KEY = b"key"


@pytest.fixture
async def flights() -> AsyncIterator[Flights]:
    """After each test nothing flies, nothing can be joined, and no task is left."""
    made = Flights()
    yield made
    await settle()
    assert len(made) == 0
    assert made.join(KEY) is None
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture
def upstream() -> Any:
    """After each test its answer is closed, exactly once."""
    made = Upstream()
    yield made
    assert made.closed == 1


def joined(flights: Flights) -> Participant:
    """A follower."""
    participant = flights.join(KEY)
    assert participant is not None
    return participant


async def body_of(participant: Participant) -> AsyncIterator[bytes]:
    """The pieces of its reply."""
    body = (await participant.reply()).body
    assert not isinstance(body, bytes)
    return body


async def give_up(participant: Participant | AsyncIterator[bytes]) -> None:
    """As GatewayResponse does with the body of a caller who has left."""
    assert isinstance(participant, Participant)
    await participant.aclose()


# One call for all.


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
    await give_up(older)
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
    assert [piece async for piece in slow] == [b"a"]


async def test_a_headers_copy_is_the_participants_own(flights: Flights, upstream: Upstream) -> None:
    """What one policy adds to its reply is not in another's."""
    leader, follower = flights.begin(KEY, Backend(upstream).fetch), joined(flights)
    upstream.send(b"a")
    replies = [await leader.reply(), await follower.reply()]
    replies[0].headers.append((b"x-cache", b"MISS"))
    assert replies[1].headers == EVENTS
    await leader.aclose()
    await follower.aclose()


# Pace.


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
    assert [piece async for piece in follower] == [b"c"]
    assert [piece async for piece in leader] == [b"b", b"c"]


async def test_who_joins_late_has_everything(flights: Flights, upstream: Upstream) -> None:
    """From the beginning, and then what comes."""
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch))
    upstream.send(b"a", b"b")
    assert [await anext(leader), await anext(leader)] == [b"a", b"b"]
    late = asyncio.create_task(read(joined(flights)))
    await settle()
    upstream.send(b"c")
    upstream.end()
    assert [piece async for piece in leader] == [b"c"]
    assert await late == b"abc"


async def test_empty_pieces_are_not_passed_on(flights: Flights, upstream: Upstream) -> None:
    """A follower's first piece is something."""
    upstream.send(b"", b"", b"a", b"", b"b")
    upstream.end()
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch))
    assert [piece async for piece in leader] == [b"a", b"b"]


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
    assert [piece async for piece in leader] == [b"a", b"b"]
    assert await follower == b"ab"


# Leaving.


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
    await give_up(leader)
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
    await give_up(leader)
    assert upstream.closed == 0
    waiting.cancel()
    await give_up(follower)
    assert (upstream.closed, upstream.cancelled, collector.ends) == (1, 1, [False])
    assert flights.join(KEY) is None
    await settle()
    assert waiting.cancelled()


async def test_leaving_twice_is_leaving_once(flights: Flights, upstream: Upstream) -> None:
    """Nobody else's part ends with it."""
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch))
    follower = asyncio.create_task(read(joined(flights)))
    await give_up(leader)
    await give_up(leader)
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


# Failing.


@pytest.mark.parametrize("error", [ProviderError("Timeout"), CallerError("InvalidHeader"), KeyError("a fault of ours")])
async def test_a_call_that_fails(flights: Flights, error: Exception) -> None:
    """The leader has the very error; each follower is told to ask by itself; nobody joins a failure."""
    backend, collector = Backend(error, waits=True), Collector()
    leader = asyncio.create_task(flights.begin(KEY, backend.fetch, collector).reply())
    followers = [asyncio.create_task(joined(flights).reply()) for _ in range(3)]
    await settle()
    backend.answers.set()
    outcomes = await asyncio.gather(leader, *followers, return_exceptions=True)
    assert outcomes[0] is error
    assert [type(outcome) for outcome in outcomes[1:]] == [FlightFailed] * 3
    assert (flights.join(KEY), collector.pieces, collector.ends) == (None, [], [False])


@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_an_answer_that_is_an_error(flights: Flights, upstream: Upstream, status: int) -> None:
    """It is the leader's alone, whole or in pieces: a quota of its own may be what the backend speaks of."""
    for body in (b"error", upstream):
        backend = Backend(body, status, waits=True)
        leader = asyncio.create_task(flights.begin(KEY, backend.fetch).reply())
        follower = asyncio.create_task(joined(flights).reply())
        await settle()
        backend.answers.set()
        reply = await leader
        assert reply.status == status
        with pytest.raises(FlightFailed):
            await follower
        assert flights.join(KEY) is None
    assert not isinstance(reply.body, bytes)
    upstream.send(b"error")
    upstream.end()
    assert [piece async for piece in reply.body] == [b"error"]


async def test_a_stream_that_breaks_off_before_its_first_piece(flights: Flights, upstream: Upstream) -> None:
    """Only then can a follower still ask by itself: that is why its reply waits for the first piece."""
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch))
    follower = asyncio.create_task(joined(flights).reply())
    await settle()
    assert not follower.done()
    error = ProviderError("BackendStreamInterrupted")
    upstream.end(error)
    with pytest.raises(FlightFailed):
        await follower
    with pytest.raises(ProviderError) as raised:
        await anext(leader)
    assert raised.value is error


async def test_a_stream_that_breaks_off_later(flights: Flights, upstream: Upstream) -> None:
    """Each has what came before, then an error of its own; one who was given nothing yet asks by itself."""
    collector = Collector()
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch, collector))
    upstream.send(b"a", b"b")
    follower = await body_of(joined(flights))
    behind = await body_of(joined(flights))
    waiting = joined(flights)
    error = ProviderError("Timeout", "The backend stopped.", headers={"retry-after": "1"})
    upstream.end(error)
    seen: list[GatewayError] = []
    for body in (leader, follower, behind):
        assert [await anext(body), await anext(body)] == [b"a", b"b"]
        with pytest.raises(ProviderError) as raised:
            await anext(body)
        seen.append(raised.value)
    assert seen[0] is error
    assert len(set(map(id, seen))) == 3
    assert {(each.code, each.status, each.body(), each.headers["retry-after"]) for each in seen} == {
        ("Timeout", 504, error.body(), "1")
    }
    with pytest.raises(FlightFailed):
        await waiting.reply()
    assert (collector.pieces, collector.ends) == ([b"a", b"b"], [False])


async def test_a_fault_of_ours_in_mid_stream(
    flights: Flights, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    """Followers are told no more than any caller is; if the leader has left, it is logged here."""
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch))
    upstream.send(b"a")
    follower = await body_of(joined(flights))
    await give_up(leader)
    upstream.end(KeyError("inside"))
    assert await anext(follower) == b"a"
    with pytest.raises(GatewayError) as raised:
        await anext(follower)
    assert raised.value.code == "InternalError"
    assert [record.message for record in caplog.records] == ["a shared call whose leader had left failed"]


class Failing(Collector):
    """A tee with a fault."""

    def __init__(self, *, on_end: bool) -> None:
        super().__init__()
        self._on_end = on_end

    def on_piece(self, piece: bytes) -> None:
        super().on_piece(piece)
        if not self._on_end:
            raise KeyError("a fault")

    def on_end(self, complete: bool) -> None:
        super().on_end(complete)
        raise KeyError("a fault")


@pytest.mark.parametrize("on_end", [True, False])
async def test_a_tee_that_fails(
    flights: Flights, upstream: Upstream, caplog: pytest.LogCaptureFixture, on_end: bool
) -> None:
    """Nobody's answer suffers; the log is told, without the answer; it is fed no more."""
    tee = Failing(on_end=on_end)
    upstream.send(b"secret", b"more")
    upstream.end()
    assert await read(flights.begin(KEY, Backend(upstream).fetch, tee)) == b"secretmore"
    assert (len(tee.pieces), tee.ends) == ((2, [True]) if on_end else (1, []))
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text


async def test_an_answer_that_cannot_be_closed(flights: Flights, caplog: pytest.LogCaptureFixture) -> None:
    """Everybody has it all the same."""

    class Stuck(Upstream):
        async def aclose(self) -> None:
            raise OSError("it does not close")

    stuck = Stuck()
    stuck.send(b"a")
    stuck.end()
    assert await read(flights.begin(KEY, Backend(stuck).fetch)) == b"a"
    await settle()
    assert "could not be closed: OSError" in caplog.text


# Memory.

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
    await give_up(slower)
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
    await give_up(slow)
    assert await quick == PIECES


async def rest_of(body: AsyncIterator[bytes]) -> list[bytes]:
    """Its pieces."""
    return [piece async for piece in body]


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
        await give_up(leader)
        await give_up(follower)
        return
    upstream.end(ProviderError("Timeout") if end == "fails" else None)
    for body in (leader, follower):
        try:
            assert await rest_of(body) == [b"a"]
            assert end == "whole"
        except ProviderError:
            assert end == "fails"
