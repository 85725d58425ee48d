"""The search among vectors, against comparing with each."""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.cache import block, matrix
from gateway.cache.axes import Axes
from gateway.cache.matrix import Found, Matrix, unit
from gateway.cache.turns import in_turns

A, B = b"a" * 16, b"b" * 16
# What float32 may put on either side of a threshold.
NEARLY = 2e-5


def vectors(count: int, dimensions: int, seed: int, axes: int | None = None) -> NDArray[np.float32]:
    """Unit vectors in all directions, or near those of a few axes; every third is close to the one before."""
    random = np.random.default_rng(seed)
    made = random.standard_normal((count, axes or dimensions)) @ random.standard_normal(
        (axes or dimensions, dimensions)
    )
    made[2::3] = made[1::3][: len(made[2::3])] + 0.1 * random.standard_normal((len(made[2::3]), dimensions))
    return np.stack([unit(row, dimensions) for row in made]) if count else made.astype(np.float32)


def by_hand(rows: dict[int, tuple[NDArray[np.float32], bytes]], vector: NDArray[np.float32], context: bytes) -> Found:
    """All rows of a context with their distances, nearest first."""
    return sorted(
        (max(0.0, 1.0 - float(row.astype(np.float64) @ vector)), place)
        for place, (row, its) in rows.items()
        if its == context
    )


def agree(found: Found, expected: Found, threshold: float, limit: int) -> None:
    """Check that what was found are the nearest ones, in order, as far as float32 can tell."""
    distances = {place: distance for distance, place in expected}
    assert all(abs(distance - distances[place]) < NEARLY for distance, place in found)
    assert [distance for distance, _ in found] == sorted(distance for distance, _ in found)
    certain = [distance for distance, _ in expected if distance <= threshold - NEARLY][:limit]
    possible = [distance for distance, _ in expected if distance <= threshold + NEARLY][:limit]
    assert len(certain) <= len(found) <= len(possible)
    assert all(abs(mine - best) < NEARLY for (mine, _), best in zip(found, possible, strict=False))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(0, 150),
    dimensions=st.sampled_from([1, 2, 31, 32, 127, 128, 200]),
    threshold=st.sampled_from([0.0, 0.05, 0.2, 0.5, 1.0, 2.0]),
    limit=st.integers(1, 8),
    is_turned=st.booleans(),
)
def test_it_finds_what_comparing_with_each_finds(
    seed: int, count: int, dimensions: int, threshold: float, limit: int, is_turned: bool
) -> None:
    """Whatever was added and removed, in several contexts, over several blocks, along whatever axes."""
    random = np.random.default_rng(seed)
    some = vectors(count, dimensions, seed, axes=None if seed % 2 else 3)
    held = Matrix(dimensions)
    rows: dict[int, tuple[NDArray[np.float32], bytes]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix, "BLOCK_ROWS", 32)
        patch.setattr(matrix, "STEP_FLOATS", 16 * dimensions)
        patch.setattr(block, "TURN_FLOATS", 8 * dimensions)
        for number, vector in enumerate(some):
            context = A if random.random() < 0.8 else B
            place = held.add(vector, context)
            assert place not in rows
            rows[place] = (vector, context)
            if random.random() < 0.2:
                gone = int(random.choice(list(rows)))
                held.remove(gone, rows.pop(gone)[1])
            if is_turned and number == count // 2:
                list(held.turn(Axes.fitted(some)))
        assert len(held) == len(rows)
        for vector in [*some[:3], *vectors(2, dimensions, seed + 1)]:
            for context in (A, B, b"nobody's"):
                found = held.search(vector, context, threshold, limit)
                agree(found, by_hand(rows, vector, context), threshold, limit)


def test_rows_that_change_during_a_search() -> None:
    """What it returns is there, and is as near as it says."""
    some = vectors(600, 64, 1)
    held = Matrix(64)
    places = [held.add(vector, A) for vector in some]
    steps = held.steps(some[0], A, 0.5)
    next(steps)
    held.remove(places[0], A)
    taken = held.add(unit(-some[0], 64), A)
    assert taken == places[0]
    with pytest.raises(StopIteration) as done:
        while True:
            next(steps)
    assert taken not in [place for _, place in done.value.value]


def test_rows_that_come_while_the_axes_turn() -> None:
    """They have heads along the new axes too."""
    some = vectors(2_000, 200, 2, axes=20)
    held = Matrix(200)
    rows = {held.add(vector, A): (vector, A) for vector in some[:1_500]}
    turning = held.turn(Axes.fitted(some[:1_500]))
    for vector in some[1_500:]:
        next(turning, None)
        rows[held.add(vector, A)] = (vector, A)
    list(turning)
    for vector in some[::200]:
        agree(held.search(vector, A, 0.3), by_hand(rows, vector, A), 0.3, 8)


def test_axes_are_fitted_when_it_pays() -> None:
    """Once there are enough rows, and again when there are four times as many; not for a few dimensions."""
    some = vectors(matrix.FIT_ROWS, 130, 3, axes=10)
    held, short = Matrix(130), Matrix(31)
    for vector in some[:-1]:
        held.add(vector, A)
        short.add(unit(vector[:31], 31), A)
    assert held.sample() is None
    held.add(some[-1], A)
    short.add(unit(some[-1][:31], 31), A)
    sample = held.sample()
    assert sample is not None
    assert len(sample) >= matrix.FIT_SAMPLE
    assert held.sample() is None
    assert short.sample() is None


def test_heads_bound_what_two_vectors_have_in_common() -> None:
    """From above, and closely along fitted axes if there are few that matter."""
    some = vectors(500, 300, 4, axes=40)
    exact = some.astype(np.float64) @ some.T
    for axes, slack in ((Axes(300), 2.0), (Axes.fitted(some), 0.05)):
        short, long = (heads.astype(np.float64) @ heads.T for heads in axes.heads(some))
        assert (short - long).min() > -1e-5
        assert (long - exact).min() > -1e-6
        assert (long - exact).max() < slack
        for one, all in zip(axes.heads(some[7]), axes.heads(some), strict=True):
            assert np.allclose(one, all[7], atol=1e-6)


@pytest.mark.parametrize(
    "values",
    [[1.0, 2.0], [1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0], [1.0, float("nan"), 0.0], [1.0, float("inf"), 0.0], b"1234"],
    ids=["too few", "too many", "zero", "NaN", "infinite", "bytes"],
)
def test_what_is_no_vector_is_refused(values: list[float] | bytes) -> None:
    """A wrong number of dimensions, or no direction."""
    with pytest.raises(ValueError, match="vector"):
        unit(values, 3)


def test_a_vector_gets_the_length_one() -> None:
    """From numbers or from bytes, tiny or huge."""
    for values in ([3.0, 4.0], [3e-30, 4e-30], [3e30, 4e30], np.array([3, 4], "<f4").tobytes()):
        assert unit(values, 2).tolist() == pytest.approx([0.6, 0.8])


def test_the_loop_turns_during_a_long_search() -> None:
    """Others have their turn between the steps, and a short search is done at once."""
    turns = 0

    async def search() -> int:
        nonlocal turns

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(count())
        await asyncio.sleep(0)
        held = Matrix(64)
        vector = unit([1.0] * 64, 64)
        held.add(vector, A)
        before = turns
        assert len(await in_turns(held.steps(vector, A, 0.1))) == 1
        at_once = turns - before

        def slow() -> matrix.Steps:
            for _ in range(5):
                until = asyncio.get_running_loop().time() + 0.002
                while asyncio.get_running_loop().time() < until:
                    pass
                yield
            return []

        before = turns
        await in_turns(slow())
        beside.cancel()
        assert turns - before >= 5
        return at_once

    assert asyncio.run(search()) == 0
