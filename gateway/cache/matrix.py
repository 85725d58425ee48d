"""The vectors of one scope, in memory, and an exact search for the nearest ones.

Reading 100,000 whole vectors of 512 dimensions, 200 MB, takes 12 to 40 ms. So each row has two heads as well
(`gateway/cache/axes.py`), from which follows how much alike two vectors can be at most: 13 MB are read for all rows,
and more for those for which that is enough. Once a scope is large its heads are taken along axes that suit its vectors.

A search goes in steps of less than a millisecond, so that the event loop can turn between them. A thread would be
worse: after each operation it has to get the interpreter's lock from a loop that hardly ever lets go of it, which takes
seconds when the loop is busy (`bench/cache_lookup.py --tasks 20 --work 0.3`). `np.vecdot` is used and not `@`: that has
the BLAS library wake threads of its own, which costs milliseconds on a machine that is busy.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gateway.cache.axes import Axes, Vector
from gateway.cache.block import Block

Found = list[tuple[float, int]]
Steps = Generator[None, None, Found]

# Growing copies one block at most: 32 MB at 512 dimensions.
BLOCK_ROWS = 16_384
FIRST_ROWS = 8
# Compared in full in one step: 2,048 rows of 512 dimensions.
STEP_FLOATS = 1_048_576
# A context with less than this part of all rows is compared in full, without a look at the heads of the others.
SMALL_PART = 8
# Axes are fitted when there are so many rows, and again each time there are four times as many.
FIT_ROWS = 8_192
FIT_AGAIN = 4
FIT_SAMPLE = 4_096
# Above what float32 loses in a dot product.
ROUNDING = 1e-5


def unit(values: Sequence[float] | NDArray[np.floating] | bytes, dimensions: int) -> Vector:
    """A vector of length 1; raise ValueError for another number of dimensions, what is not finite, and zero.

    Bytes are little-endian float32.
    """
    vector = np.frombuffer(values, "<f4") if isinstance(values, bytes) else np.asarray(values)
    if vector.shape != (dimensions,):
        raise ValueError(f"a vector has the shape {vector.shape}; {dimensions} dimensions are expected")
    vector = vector.astype(np.float64)
    length = float(np.sqrt(np.vecdot(vector, vector)))
    if not 0 < length < np.inf:
        raise ValueError("a vector has no direction: it is zero, or not finite")
    return (vector / length).astype(np.float32)


@dataclass(slots=True)
class _Context:
    number: int
    places: array[int] = field(default_factory=lambda: array("I"))


class Matrix:
    """Unit vectors, each at a place of its own, that belong to contexts. Not to be used by several threads.

    A place is a number; when its vector is removed another one may get it.
    """

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._axes = Axes(dimensions)
        self._blocks: list[Block] = []
        self._contexts: dict[bytes, _Context] = {}
        self._contexts_made = 0
        self._free: list[int] = []
        self._count = 0
        self._fit_at = FIT_ROWS

    def __len__(self) -> int:
        return self._count

    def add(self, vector: Vector, context: bytes) -> int:
        """Put in a vector that `unit` made; its place."""
        place = self._free.pop() if self._free else self._new_place()
        known = self._contexts.get(context)
        if known is None:
            self._contexts_made += 1
            known = self._contexts[context] = _Context(self._contexts_made)
        self._blocks[place // BLOCK_ROWS].put(place % BLOCK_ROWS, vector, known.number)
        known.places.append(place)
        self._count += 1
        return place

    def remove(self, place: int, context: bytes) -> None:
        """Take out a vector of a context; raise KeyError or ValueError if it is not there."""
        known = self._contexts[context]
        known.places.remove(place)
        if not known.places:
            del self._contexts[context]
        self._blocks[place // BLOCK_ROWS].free(place % BLOCK_ROWS)
        self._free.append(place)
        self._count -= 1

    def search(self, vector: Vector, context: bytes, threshold: float, limit: int = 8) -> Found:
        """The nearest rows of a context at most `threshold` away: cosine distances and places, nearest first."""
        steps = self.steps(vector, context, threshold, limit)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                found: Found = done.value
                return found

    def steps(self, vector: Vector, context: bytes, threshold: float, limit: int = 8) -> Steps:
        """The same search, pausing between its steps. Rows may come and go meanwhile; what it returns is there."""
        known = self._contexts.get(context)
        if known is None:
            return []
        nearest = _Nearest(1.0 - threshold, limit)
        head = 0
        step = max(1, STEP_FLOATS // self.dimensions)
        for number, rows in self._rows(known):
            block = self._blocks[number]
            if rows is None:
                rows, head = block.promising(vector, known.number, nearest.least - ROUNDING, head)
                yield
            for start in range(0, len(rows), step):
                if start:
                    yield
                part = rows[start : start + step]
                nearest.offer(block.alike(part, vector), number * BLOCK_ROWS + part)
        return self._checked(nearest.places, vector, known.number, threshold)

    def sample(self) -> NDArray[np.float32] | None:
        """Some rows to fit axes to, if so many have come that this would pay; otherwise None."""
        if self._count < self._fit_at or self.dimensions <= self._axes.levels[-1]:
            return None
        self._fit_at = self._count * FIT_AGAIN
        each = FIT_SAMPLE // len(self._blocks)
        return np.concatenate([block.some(each) for block in self._blocks if block.count])

    def turn(self, axes: Axes) -> Generator[None]:
        """Take all heads along other axes, pausing after each millisecond or so."""
        self._axes = axes
        for block in list(self._blocks):
            yield from block.turn(axes)

    def _new_place(self) -> int:
        last = len(self._blocks) - 1
        if last < 0 or self._blocks[last].count == BLOCK_ROWS:
            last += 1
            self._blocks.append(Block(BLOCK_ROWS if last else FIRST_ROWS, self.dimensions, self._axes))
        block = self._blocks[last]
        if block.count == block.size:
            self._blocks[last] = block.grown(min(BLOCK_ROWS, 2 * block.size))
        return last * BLOCK_ROWS + block.count

    def _rows(self, context: _Context) -> Iterator[tuple[int, NDArray[np.int64] | None]]:
        """Where a context's rows may be: numbers of blocks, each with the rows in it, or with None for any of them."""
        if len(context.places) * SMALL_PART > self._count:
            for number in range(len(self._blocks)):
                yield number, None
            return
        places = np.sort(np.array(context.places, np.int64))
        for part in np.split(places, np.flatnonzero(np.diff(places // BLOCK_ROWS)) + 1):
            yield int(part[0]) // BLOCK_ROWS, part % BLOCK_ROWS

    def _checked(self, places: Sequence[int], vector: Vector, owner: int, threshold: float) -> Found:
        # Since a row was compared it may have been removed, or given to another vector.
        found: Found = []
        for place in places:
            block, row = self._blocks[place // BLOCK_ROWS], place % BLOCK_ROWS
            distance = max(0.0, 1.0 - float(block.alike(np.array([row]), vector)[0]))
            if block.owner(row) == owner and distance <= threshold:
                found.append((distance, place))
        return sorted(found)


class _Nearest:
    """The most alike so far, at most `limit`; `least` is how much alike a row must be to be among them."""

    def __init__(self, least: float, limit: int) -> None:
        self.least = least
        self.places: Sequence[int] = ()
        self._limit = limit
        self._alike = np.empty(0, np.float32)

    def offer(self, alike: NDArray[np.float32], places: NDArray[np.int64]) -> None:
        """Rows that were compared."""
        enough = alike >= self.least - ROUNDING
        alike = np.concatenate((self._alike, alike[enough]))
        places = np.concatenate((np.asarray(self.places, np.int64), places[enough]))
        order = np.argsort(-alike, kind="stable")[: self._limit]
        self._alike, self.places = alike[order], [int(place) for place in places[order]]
        if len(order) == self._limit:
            self.least = max(self.least, float(self._alike[-1]))
