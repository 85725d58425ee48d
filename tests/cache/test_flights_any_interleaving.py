"""Callers that come, take, wait, give up and leave in any order: each has a beginning of the answer, or all of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cache.flight import PIECE_OVERHEAD_BYTES
from gateway.cache.flights import FlightFailed, Flights, Participant
from gateway.errors import ProviderError
from tests.cache.upstream import Backend, Collector, Upstream
from tests.clock import settle

KEY = b"key"
PIECE_BYTES = 8 + PIECE_OVERHEAD_BYTES
ACTIONS = ("come", "take", "take", "take", "give up", "leave", "send", "send", "send", "end", "break off", "settle")


class Shared:
    """One flight's backend, and what it has sent."""

    def __init__(self, is_answered: bool) -> None:
        self.upstream = Upstream()
        self.backend = Backend(self.upstream, waits=not is_answered)
        self.collector = Collector()
        self.sent: list[bytes] = []
        self.ended: str | None = None

    def send(self) -> None:
        """One more piece, unless it has ended."""
        if self.ended is None:
            self.sent.append(f"{len(self.sent):08}".encode())
            self.upstream.send(self.sent[-1])

    def end(self, how: str) -> None:
        """Its proper end, or another."""
        if self.ended is None:
            self.ended = how
            self.upstream.end(ProviderError("BackendStreamInterrupted") if how == "break off" else None)


class Caller:
    """One who takes part, a step at a time."""

    def __init__(self, participant: Participant, shared: Shared) -> None:
        self.shared = shared
        self.taken: list[bytes] = []
        self.outcome: str | None = None
        self._is_leader = participant.is_leader
        self._participant = participant
        self._body: AsyncIterator[bytes] | None = None
        self._step: asyncio.Task[None] | None = None

    def take(self) -> None:
        """Begin to wait for the next, unless it waits already."""
        if self.outcome is None and (self._step is None or self._step.done()):
            self._step = asyncio.create_task(self._take())

    def give_up(self) -> None:
        """Stop waiting; whoever has no reply yet has left then."""
        if self._step is not None and not self._step.done():
            self._step.cancel()

    async def leave(self) -> None:
        """As a caller who disconnects."""
        self.give_up()
        if self._step is not None:
            await asyncio.wait([self._step])
        await self._participant.aclose()
        self.outcome = self.outcome or "left"

    async def _take(self) -> None:
        try:
            if self._body is None:
                body = (await self._participant.reply()).body
                assert not isinstance(body, bytes)
                self._body = body
            self.taken.append(await anext(self._body))
        except asyncio.CancelledError:
            if self._body is None:
                self.outcome = "left"
        except StopAsyncIteration:
            self.outcome = "end"
        except ProviderError:
            self.outcome = "break off"
        except FlightFailed:
            assert not self._is_leader
            assert not self.taken
            self.outcome = "failed"

    def check(self) -> None:
        """Nothing is lost, nothing comes twice; an end is the backend's."""
        assert self.taken == self.shared.sent[: len(self.taken)]
        if self.outcome == "end":
            assert (self.shared.ended, self.taken) == ("end", self.shared.sent)
        if self.outcome == "break off":
            assert (self.shared.ended, self.taken) == ("break off", self.shared.sent)
        if self.outcome == "failed":
            assert self.shared.ended == "break off"


class World:
    """Callers with one key, and the flights they make."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._flights = Flights(largest)
        self._shared: list[Shared] = []
        self._by_leader: dict[int, Shared] = {}
        self._callers: list[Caller] = []

    async def act(self, action: str, number: int) -> None:
        """One thing happens."""
        caller = self._callers[number % len(self._callers)] if self._callers else None
        if action == "come":
            self._come(is_answered=number % 2 == 0)
        elif action == "settle":
            await settle()
        elif caller is None:
            return
        elif action == "take":
            caller.take()
        elif action == "give up":
            caller.give_up()
        elif action == "leave":
            await caller.leave()
        elif action == "send":
            caller.shared.send()
            caller.shared.backend.answers.set()
        else:
            caller.shared.end(action)

    def _come(self, *, is_answered: bool) -> None:
        participant = self._flights.join(KEY)
        if participant is None:
            shared = Shared(is_answered)
            self._shared.append(shared)
            participant = self._flights.begin(KEY, shared.backend.fetch, shared.collector)
        self._callers.append(Caller(participant, self._shared[-1]))

    def check(self) -> None:
        """What holds at every moment."""
        for caller in self._callers:
            caller.check()
        for flight in self._flights._flying.values():
            assert sum(len(piece) + PIECE_OVERHEAD_BYTES for piece in flight._pieces) <= self._largest + PIECE_BYTES
        for shared in self._shared:
            assert shared.collector.pieces == shared.sent[: shared.upstream.read]

    async def finish(self) -> None:
        """Every backend ends, and all who are there take all there is."""
        for shared in self._shared:
            shared.backend.answers.set()
            shared.end("end")
        for _ in range(10 * sum(len(shared.sent) + 2 for shared in self._shared)):
            for caller in self._callers:
                caller.take()
            await settle()
            if all(caller.outcome for caller in self._callers):
                break
        assert all(caller.outcome for caller in self._callers)
        self.check()

    async def check_nothing_is_left(self) -> None:
        """No flight, no task; what was opened is closed, once; each collector has heard of one end."""
        await settle()
        assert len(self._flights) == 0
        assert self._flights.join(KEY) is None
        assert asyncio.all_tasks() == {asyncio.current_task()}
        for shared in self._shared:
            assert shared.backend.calls <= 1
            assert shared.upstream.closed == shared.backend.calls - shared.backend.cancelled
            assert len(shared.collector.ends) == 1


async def run(actions: list[tuple[str, int]], largest: int) -> None:
    """Let it all happen."""
    world = World(largest)
    for action, number in actions:
        await world.act(action, number)
        world.check()
    await world.finish()
    await world.check_nothing_is_left()


@settings(deadline=None, max_examples=300)
@given(
    actions=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 7)), min_size=5, max_size=120),
    pieces=st.integers(1, 6),
)
def test_any_interleaving(actions: list[tuple[str, int]], pieces: int) -> None:
    """Whatever the order, and however little may be kept."""
    asyncio.run(run([("come", 0), ("come", 1), *actions], pieces * PIECE_BYTES))
