"""Some of the rows of a matrix, in arrays of a fixed size."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from gateway.cache.axes import Axes, Vector

NOBODY = -1
TURN_FLOATS = 131_072


class Block:
    """Rows of unit vectors with their heads. `owners` has the number of each row's context, NOBODY's if it is free."""

    def __init__(self, rows: int, dimensions: int, axes: Axes) -> None:
        self.vectors = np.empty((rows, dimensions), np.float32)
        self.count = 0
        self._owners = np.full(rows, NOBODY, np.int32)
        self._axes = axes
        self._heads = np.empty((rows, axes.count + 1), np.float32)
        self._turning: tuple[Axes, NDArray[np.float32]] | None = None

    @property
    def size(self) -> int:
        """How many rows there can be."""
        return len(self._owners)

    def put(self, row: int, vector: Vector, owner: int) -> None:
        """Write a row: one that was free, or the next one."""
        self.vectors[row] = vector
        self._heads[row] = self._axes.head(vector)
        self._owners[row] = owner
        if self._turning is not None:
            axes, heads = self._turning
            heads[row] = axes.head(vector)
        self.count = max(self.count, row + 1)

    def free(self, row: int) -> None:
        """Let nobody own a row."""
        self._owners[row] = NOBODY

    def owner(self, row: int) -> int:
        """The number of a row's context."""
        return int(self._owners[row])

    def alike(self, rows: NDArray[np.int64], vector: Vector) -> NDArray[np.float32]:
        """How much alike some rows are, in the order of their numbers: the cosine of the angle between."""
        first, end = int(rows[0]), int(rows[-1]) + 1
        if end - first <= 2 * len(rows):
            # Nearly all between: to read past some is cheaper than to copy the others.
            all_between: Vector = np.vecdot(self.vectors[first:end], vector)
            return all_between[rows - first]
        cosines: Vector = np.vecdot(self.vectors[rows], vector)
        return cosines

    def promising(self, vector: Vector, owner: int, least: float) -> NDArray[np.int64]:
        """The rows of a context that may be at least so much alike; the others are not."""
        bounds = np.vecdot(self._heads[: self.count], self._axes.head(vector))
        rows: NDArray[np.int64] = np.flatnonzero(bounds >= least)
        mine: NDArray[np.int64] = rows[self._owners[rows] == owner]
        return mine

    def turn(self, axes: Axes) -> Generator[None]:
        """Take the heads along other axes, pausing after each millisecond or so."""
        heads = np.empty_like(self._heads)
        self._turning = axes, heads
        step = max(1, TURN_FLOATS // self.vectors.shape[1])
        for start in range(0, self.count, step):
            stop = min(start + step, self.count)
            heads[start:stop] = axes.head(self.vectors[start:stop])
            yield
        self._axes, self._heads, self._turning = axes, heads, None

    def grown(self, rows: int) -> Block:
        """The same rows, with room for more."""
        other = Block(rows, self.vectors.shape[1], self._axes)
        other.count = self.count
        other.vectors[: self.count] = self.vectors[: self.count]
        other._heads[: self.count] = self._heads[: self.count]
        other._owners[: self.count] = self._owners[: self.count]
        return other
