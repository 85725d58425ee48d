"""Identical requests in flight share one call to the backend.

flight = flights.join(key)
if flight is None:
    reply = await flights.begin(key, fetch, tee).reply()    # the leader's: its errors are its own
else:
    try:
        reply = await flight.reply()
    except FlightFailed:
        reply = await fetch()                               # once, and shared with nobody
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

from gateway.cache.flight import LARGEST_SHARED_BYTES, LEADER, Fetch, Flight, Tee
from gateway.call import Reply
from gateway.errors import GatewayError, UnavailableError


class FlightFailed(Exception):
    """The shared call has failed, and this follower was given nothing of it: it may ask by itself."""


class Participant:
    """One caller's part in a flight, and the body of its reply if that comes in pieces.

    Whoever has one awaits `reply` or closes it; whoever has a reply reads its body to the end or closes it. The call to
    the backend goes on as long as anybody takes part.
    """

    __slots__ = ("_flight", "_loop", "_number")

    def __init__(self, flight: Flight) -> None:
        self._flight: Flight | None = flight
        self._number = flight.enter()
        self._loop = asyncio.get_running_loop()

    @property
    def is_leader(self) -> bool:
        """True for the one who began the flight."""
        return self._number == LEADER

    async def reply(self) -> Reply:
        """A reply of its own: for the leader with the answer's head, for a follower with its first piece as well.

        Raises to the leader what its `fetch` raises, to a follower FlightFailed for that, for a status of 400 and more
        and for an answer that breaks off by now. Called once.
        """
        flight = self._flight
        assert flight is not None
        try:
            head = await (self._head(flight) if self.is_leader else self._shared_head(flight))
        except BaseException:
            self._leave()
            raise
        if isinstance(head.body, bytes):
            self._leave()
            return Reply(head.status, list(head.headers), head.body, head.code, head.safety)
        return Reply(head.status, list(head.headers), self, head.code, head.safety)

    async def _head(self, flight: Flight) -> Reply:
        while flight.head is None:
            if flight.error is not None:
                raise flight.error
            await flight.change()
        return flight.head

    async def _shared_head(self, flight: Flight) -> Reply:
        while not (flight.is_over or flight.has_piece):
            if flight.head is not None:
                if flight.head.status >= 400:
                    break
                flight.want()
            await flight.change()
        if flight.head is None or flight.head.status >= 400 or flight.error is not None:
            raise FlightFailed
        return flight.head

    def __aiter__(self) -> Participant:
        return self

    async def __anext__(self) -> bytes:
        """The next piece. Raises to all what the leader's stream raises, to each an error of its own."""
        flight = self._flight
        if flight is None:
            raise StopAsyncIteration
        while (piece := flight.take(self._number)) is None:
            if flight.is_over:
                raise self._end(flight)
            flight.want()
            await flight.change()
        return piece

    def _end(self, flight: Flight) -> Exception:
        error = flight.error
        self._leave()
        if error is None:
            return StopAsyncIteration()
        return error if self.is_leader else _twin(error)

    async def aclose(self) -> None:
        """Take part no more. The last one waits until the backend's answer is closed."""
        task = self._leave()
        if task is not None:
            await asyncio.wait([task])

    def _leave(self) -> asyncio.Task[None] | None:
        flight, self._flight = self._flight, None
        return None if flight is None else flight.leave(self._number)

    def __del__(self) -> None:
        flight = self._flight
        if flight is not None:
            # Dropped unread, as the worker drops replies when it stops. The collector may run in any thread.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(flight.leave, self._number)


class Flights:
    """The flights of this process that can be joined, by what makes requests identical."""

    def __init__(self, largest: int = LARGEST_SHARED_BYTES) -> None:
        self._largest = largest
        self._open: dict[bytes, Flight] = {}
        self._flying: dict[asyncio.Task[None], Flight] = {}

    def __len__(self) -> int:
        """How many are in the air, those included that cannot be joined any more."""
        return len(self._flying)

    def join(self, key: bytes) -> Participant | None:
        """Take part in the flight with this key, if there is one that has neither ended, failed nor become too long."""
        flight = self._open.get(key)
        return None if flight is None else Participant(flight)

    def begin(self, key: bytes, fetch: Fetch, tee: Tee | None = None) -> Participant:
        """Begin a flight that others with this key may join. `fetch` is called once, in a task of its own."""
        flight = Flight(fetch, tee, partial(self._shut, key), self._largest)
        self._open[key] = flight
        assert flight.task is not None
        self._flying[flight.task] = flight
        flight.task.add_done_callback(self._flying.pop)
        return Participant(flight)

    def _shut(self, key: bytes, flight: Flight) -> None:
        if self._open.get(key) is flight:
            del self._open[key]

    async def aclose(self) -> None:
        """End every flight, and wait until the backends' answers are closed."""
        tasks = list(self._flying)
        for flight in list(self._flying.values()):
            flight.stop()
        if tasks:
            await asyncio.wait(tasks)


def _twin(error: Exception) -> Exception:
    """The same error once more: one that is raised in two calls would gather the traces of both."""
    if not isinstance(error, GatewayError):
        return UnavailableError("InternalError")
    twin = type(error).__new__(type(error), *error.args)
    twin.__dict__.update(error.__dict__)
    return twin
