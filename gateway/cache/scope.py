"""The entries of one scope, in memory: found by the same text, or by what it means."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from gateway.cache.entry import Entry, Match
from gateway.cache.turns import in_turns

if TYPE_CHECKING:
    from gateway.cache.axes import Vector
    from gateway.cache.matrix import Matrix
    from gateway.storage.cache_rows import Removal

# What an entry takes beside its vector, and a vector's head: measured with 10,000 of each.
ENTRY_BYTES = 1_100
HEAD_BYTES = 650
SCOPE_BYTES = 4_000
# Entries whose time is over that one look-up takes out; all of them at once might take long.
MOST_EXPIRED = 100
# What is remembered of removals: the storage hears of an entry within seconds, and hardly ever later.
MOST_REMOVALS = 100


@dataclass(frozen=True, slots=True)
class Kind:
    """What the entries of a scope have in common.

    `space` names what makes the vectors, the embeddings model and the number of dimensions; it is empty where entries
    are found by the same text only. Beyond `max_entries` the oldest leave.
    """

    space: str = ""
    dimensions: int = 0
    max_entries: int = 10_000


class Scope:
    """Entries, the newest for each text, with their vectors."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.removals: dict[str, Removal] = {}
        self._entries: dict[str, Entry] = {}
        self._by_text: dict[bytes, str] = {}
        self._matrix: Matrix | None = None
        self._places: dict[str, int] = {}
        self._by_place: dict[int, str] = {}
        # Heaps; what is in them may have left already.
        self._ages: list[str] = []
        self._ends: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, id: str) -> bool:
        return id in self._entries

    @property
    def bytes_held(self) -> int:
        """What all of it takes, about."""
        vectors = len(self._places) * (4 * self.kind.dimensions + HEAD_BYTES)
        return SCOPE_BYTES + len(self._entries) * ENTRY_BYTES + vectors

    def add(self, entry: Entry, vector: Vector | None) -> list[str]:
        """Put in an entry; the ids of what has no place beside it, which may be its own.

        Of two with the same text the older one leaves.
        """
        if entry.id in self._entries:
            return []
        if any(removal.covers(entry) for removal in self.removals.values()):
            return [entry.id]
        other = self._by_text.get(entry.exact)
        if other is not None:
            if other > entry.id:
                return [entry.id]
            self.remove(other)
        self._put(entry, vector)
        return [] if other is None else [other]

    def trim(self) -> list[str]:
        """Take out the oldest entries if there are too many; their ids."""
        return [self.remove_oldest() for _ in range(len(self._entries) - self.kind.max_entries)]

    def remove(self, id: str) -> None:
        """Take out an entry, if it is here."""
        entry = self._entries.pop(id, None)
        if entry is None:
            return
        del self._by_text[entry.exact]
        place = self._places.pop(id, None)
        if place is not None and self._matrix is not None:
            del self._by_place[place]
            self._matrix.remove(place, entry.context)

    def remove_oldest(self) -> str:
        """Take out the oldest entry, of which there must be one; its id."""
        while True:
            id = heappop(self._ages)
            if id in self._entries:
                self.remove(id)
                return id

    def remove_expired(self, now: float) -> None:
        """Take out entries whose time is over, at most MOST_EXPIRED."""
        for _ in range(MOST_EXPIRED):
            if not self._ends or self._ends[0][0] > now:
                return
            self.remove(heappop(self._ends)[1])

    def apply(self, removal: Removal) -> None:
        """Take out what somebody removed, and let it not come again."""
        if removal.id not in self.removals:
            self.removals[removal.id] = removal
            if len(self.removals) > MOST_REMOVALS:
                del self.removals[min(self.removals)]
            for entry in [entry for entry in self._entries.values() if removal.covers(entry)]:
                self.remove(entry.id)

    def exact(self, exact: bytes, now: float) -> Entry | None:
        """The entry with the same text."""
        self.remove_expired(now)
        id = self._by_text.get(exact)
        entry = None if id is None else self._entries[id]
        return entry if entry is not None and entry.expires > now else None

    async def search(self, vector: Vector, context: bytes, threshold: float, now: float, limit: int) -> list[Match]:
        """The nearest entries of a context, nearest first. One that takes long lets others have their turn."""
        self.remove_expired(now)
        if self._matrix is None or len(vector) != self.kind.dimensions:
            return []
        found = await in_turns(self._matrix.steps(vector, context, threshold, limit))
        matches = [Match(self._entries[self._by_place[place]], distance) for distance, place in found]
        return [match for match in matches if match.entry.expires > now]

    async def tune(self) -> None:
        """Have a search compare less, if so many vectors have come that this pays. Takes a second at most."""
        matrix = self._matrix
        sample = None if matrix is None else matrix.sample()
        if matrix is not None and sample is not None:
            from gateway.cache.axes import Axes

            await in_turns(matrix.turn(await asyncio.to_thread(Axes.fitted, sample)))

    def _put(self, entry: Entry, vector: Vector | None) -> None:
        if len(self._ages) > 2 * len(self._entries) + MOST_EXPIRED:
            self._tidy()
        self._entries[entry.id] = entry
        self._by_text[entry.exact] = entry.id
        heappush(self._ages, entry.id)
        heappush(self._ends, (entry.expires, entry.id))
        if vector is not None:
            if self._matrix is None:
                from gateway.cache.matrix import Matrix

                self._matrix = Matrix(self.kind.dimensions)
            place = self._places[entry.id] = self._matrix.add(vector, entry.context)
            self._by_place[place] = entry.id

    def _tidy(self) -> None:
        self._ages = list(self._entries)
        self._ends = [(entry.expires, entry.id) for entry in self._entries.values()]
        heapify(self._ages)
        heapify(self._ends)
