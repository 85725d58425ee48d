"""Some of the rows of a matrix, in arrays of a fixed size."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.cache.axes import Axes, Vector

Rows = NDArray[np.int64]

NOBODY = -1
# Of rows that get other heads in one step.
TURN_FLOATS = 131_072


class Block:
    """Rows of unit vectors with their heads. `owners` has the number of each row's context, NOBODY's if it is free."""

    def __init__(self, size: int, dimensions: int, axes: Axes) -> None:
        self.size = size
        self.count = 0
        self._vectors = np.empty((size, dimensions), np.float32)
        self._owners = np.full(size, NOBODY, np.int32)
        self._axes = axes
        self._heads = self._empty_heads(axes)
        self._turning: tuple[Axes, list[NDArray[np.float32]]] | None = None

    def put(self, row: int, vector: Vector, owner: int) -> None:
        """Write a row: one that was free, or the next one."""
        self._vectors[row] = vector
        self._owners[row] = owner
        for axes, heads in filter(None, ((self._axes, self._heads), self._turning)):
            for head, array in zip(axes.heads(vector), heads, strict=True):
                array[row] = head
        self.count = max(self.count, row + 1)

    def free(self, row: int) -> None:
        """Let nobody own a row."""
        self._owners[row] = NOBODY

    def owner(self, row: int) -> int:
        """The number of a row's context."""
        return int(self._owners[row])

    def alike(self, rows: Rows, vector: Vector) -> NDArray[np.float32]:
        """How much alike some rows are, which are in order: the cosines of the angles between."""
        return _products(self._vectors, rows, vector)

    def promising(self, vector: Vector, owner: int, least: float, first: int = 0) -> tuple[Rows, int]:
        """The rows of a context that may be at least so much alike; the others are not.

        `first` is the head to begin with. With the rows comes the one that is better begun with in other blocks.
        """
        heads = list(zip(self._axes.heads(vector), self._heads, strict=True))[first:]
        (head, array), *others = heads
        rows: Rows = np.flatnonzero(np.vecdot(array[: self.count], head) >= least)
        if others and 2 * len(rows) > self.count:
            first += 1
        rows = rows[self._owners[rows] == owner]
        for head, array in others:
            if len(rows):
                rows = rows[_products(array, rows, head) >= least]
        return rows, first

    def some(self, count: int) -> NDArray[np.float32]:
        """At least so many of the vectors, if there are, from all over the block."""
        return self._vectors[: self.count : max(1, self.count // count)]

    def turn(self, axes: Axes) -> Generator[None]:
        """Take the heads along other axes, pausing after each millisecond or so."""
        turned = self._empty_heads(axes)
        self._turning = axes, turned
        step = max(1, TURN_FLOATS // self._vectors.shape[1])
        for start in range(0, self.count, step):
            rows = slice(start, min(start + step, self.count))
            for heads, array in zip(axes.heads(self._vectors[rows]), turned, strict=True):
                array[rows] = heads
            yield
        self._axes, self._heads, self._turning = axes, turned, None

    def grown(self, size: int) -> Block:
        """The same rows, with room for more."""
        other = Block(size, self._vectors.shape[1], self._axes)
        other.count = self.count
        for mine, larger in zip(self._arrays(), other._arrays(), strict=True):
            larger[: self.count] = mine[: self.count]
        return other

    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return self._vectors, self._owners, *self._heads

    def _empty_heads(self, axes: Axes) -> list[NDArray[np.float32]]:
        return [np.empty((self.size, level + 1), np.float32) for level in axes.levels]


def _products(array: NDArray[np.float32], rows: Rows, vector: Vector) -> NDArray[np.float32]:
    """Some rows of an array, in order and at least one, each times a vector."""
    first, end = int(rows[0]), int(rows[-1]) + 1
    if end - first > 2 * len(rows):
        few: NDArray[np.float32] = np.vecdot(array[rows], vector)
        return few
    # Nearly all between: to read past some is cheaper than to copy the others.
    all_between: NDArray[np.float32] = np.vecdot(array[first:end], vector)
    return all_between[rows - first]
