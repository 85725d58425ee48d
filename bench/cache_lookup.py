"""How long a look-up among a scope's vectors takes, and how long others wait for it.

Vectors are made up, with a spectrum like that of real embeddings, or in all directions alike (--alike), which is the
worst case for the matrix. Half of the questions are close to a vector that is there. Beside the look-ups, tasks work
for a while every 2 ms, as calls do; how late they get their turn is measured with and without look-ups.

usearch (HNSW) takes part if it is installed; it is no dependency of the gateway. Of it "found" says for how many of the
questions it has the nearest vector; the matrix is exact.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.machine import describe_machine
from bench.tables import bullets, table
from gateway.cache.axes import Axes
from gateway.cache.matrix import Matrix
from gateway.cache.turns import in_turns

CONTEXT = b"c" * 16
PAUSE_SECONDS = 0.002
# How fast the variances of real embeddings fall, along their principal axes: MiniLM-L6-v2's, about.
DECAY = 0.8

Vectors = NDArray[np.float32]
LookUp = Callable[[Vectors], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured."""

    sizes: tuple[int, ...]
    dimensions: int
    threshold: float
    questions: int
    tasks: int
    work: float
    is_alike: bool
    with_usearch: bool


@dataclass(frozen=True, slots=True)
class Result:
    """One way to look up among so many vectors. Times are in seconds, `late` of the tasks beside."""

    way: str
    size: int
    build: float
    look_ups: list[float]
    late: list[float]
    found: float

    def row(self) -> list[str]:
        """As a line of the table."""
        return [
            self.way,
            f"{self.size:,}",
            f"{self.build:.1f}",
            f"{1e3 * percentile(self.look_ups, 50):.2f}",
            f"{1e3 * percentile(self.look_ups, 99):.2f}",
            f"{1e3 * percentile(self.late, 50):.2f}",
            f"{1e3 * percentile(self.late, 99):.2f}",
            f"{100 * self.found:.1f} %",
        ]


HEADER = ["way", "vectors", "build s", "p50 ms", "p99 ms", "others late p50 ms", "p99 ms", "found"]


def main(arguments: list[str] | None = None) -> int:
    """Measure and print a table."""
    plan = parse(arguments)
    rows = [result.row() for size in plan.sizes for result in measure(plan, size)]
    kind = "in all directions alike" if plan.is_alike else "with the spectrum of embeddings"
    print(f"{plan.dimensions} dimensions, {kind}; threshold {plan.threshold}, {plan.questions} questions each;")
    print(f"beside them {plan.tasks} tasks with {1e3 * plan.work:.2f} ms of work every 2 ms\n")
    print(table(HEADER, rows))
    print()
    print(bullets([f"{name}: {value}" for name, value in describe_machine(None).items()]))
    return 0


def parse(arguments: list[str] | None) -> Plan:
    """The options, checked."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.cache_lookup",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sizes = [1_000, 10_000, 50_000, 100_000]
    parser.add_argument("--vectors", type=_positive, nargs="+", default=sizes, help="how many, one after the other")
    parser.add_argument("--dimensions", type=_positive, default=512, help="of each vector; 512 unless told")
    parser.add_argument("--threshold", type=float, default=0.1, help="cosine distance; 0.1 unless told")
    parser.add_argument("--questions", type=_positive, default=400, help="look-ups of each kind; 400 unless told")
    parser.add_argument("--tasks", type=_positive, default=8, help="that work beside the look-ups; 8 unless told")
    parser.add_argument("--work", type=float, default=0.1, help="milliseconds of their work, every 2; 0.1 unless told")
    parser.add_argument("--alike", action="store_true", help="vectors in all directions alike")
    parser.add_argument("--without-usearch", action="store_true", help="leave usearch out: its build takes minutes")
    options = parser.parse_args(arguments)
    with_usearch = not options.without_usearch and _has_usearch()
    return Plan(
        sizes=tuple(options.vectors),
        dimensions=options.dimensions,
        threshold=options.threshold,
        questions=options.questions,
        tasks=options.tasks,
        work=options.work / 1e3,
        is_alike=options.alike,
        with_usearch=with_usearch,
    )


def measure(plan: Plan, size: int) -> Iterator[Result]:
    """All ways to look up among so many vectors."""
    rows = vectors(plan, size, seed=1)
    random = np.random.default_rng(2)
    near = rows[random.integers(0, size, plan.questions // 2)]
    far = vectors(plan, plan.questions - len(near), seed=3)
    noise = random.standard_normal(near.shape).astype(np.float32) / np.sqrt(plan.dimensions)
    questions = random.permutation(unit_rows(np.concatenate((near + 0.2 * noise, far))))
    began = time.perf_counter()
    matrix = Matrix(plan.dimensions)
    for row in rows:
        matrix.add(row, CONTEXT)
    if (sample := matrix.sample()) is not None:
        list(matrix.turn(Axes.fitted(sample)))
    build = time.perf_counter() - began
    for way, look_up in matrix_ways(matrix, plan.threshold).items():
        yield asyncio.run(_measure(plan, way, size, build, look_up, questions))
    yield asyncio.run(_measure(plan, "nothing", size, 0.0, None, questions))
    if plan.with_usearch:
        yield usearch_result(plan, rows, questions, matrix)


def matrix_ways(matrix: Matrix, threshold: float) -> dict[str, LookUp]:
    """In turns with others, as the gateway does; in a thread; all at once."""

    async def in_a_thread(vector: Vectors) -> int:
        return len(await asyncio.to_thread(matrix.search, vector, CONTEXT, threshold))

    async def at_once(vector: Vectors) -> int:
        return len(matrix.search(vector, CONTEXT, threshold))

    async def turns(vector: Vectors) -> int:
        return len(await in_turns(matrix.steps(vector, CONTEXT, threshold)))

    return {"matrix, in turns": turns, "matrix, in a thread": in_a_thread, "matrix, at once": at_once}


def usearch_result(plan: Plan, rows: Vectors, questions: Vectors, matrix: Matrix) -> Result:
    """usearch's index with its own settings, searched in a thread."""
    from usearch.index import Index

    began = time.perf_counter()
    index = Index(ndim=rows.shape[1], metric="cos", dtype="f32")
    index.add(np.arange(len(rows)), rows)
    build = time.perf_counter() - began

    async def look_up(vector: Vectors) -> int:
        return len(await asyncio.to_thread(index.search, vector, 8))

    hits = 0
    for question in questions:
        (nearest, *_), first = matrix.search(question, CONTEXT, 2.0, 1), index.search(question, 1)
        hits += abs(float(first.distances[0]) - nearest[0]) < 1e-4
    found = hits / len(questions)
    return asyncio.run(_measure(plan, "usearch, in a thread", len(rows), build, look_up, questions, found))


def vectors(plan: Plan, count: int, seed: int) -> Vectors:
    """Unit vectors in random directions."""
    random = np.random.default_rng(seed)
    made = random.standard_normal((count, plan.dimensions), np.float32)
    if not plan.is_alike:
        axes, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((plan.dimensions, plan.dimensions)))
        scales = np.arange(1, plan.dimensions + 1, dtype=np.float32) ** (-DECAY / 2)
        made = (made * scales) @ axes.astype(np.float32)
    return unit_rows(made)


def unit_rows(rows: Vectors) -> Vectors:
    """The rows, each with the length 1."""
    unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def percentile(values: list[float], percent: int) -> float:
    """The value that so many percent do not exceed."""
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


async def _measure(
    plan: Plan, way: str, size: int, build: float, look_up: LookUp | None, questions: Vectors, found: float = 1.0
) -> Result:
    late: list[float] = []
    beside = [asyncio.create_task(_work(late, plan.work)) for _ in range(plan.tasks)]
    look_ups = []
    gc.collect()
    for question in questions:
        began = time.perf_counter()
        if look_up is None:
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            await look_up(question)
        look_ups.append(time.perf_counter() - began if look_up is not None else 0.0)
        # Others have their turn between two look-ups, as they have in the gateway.
        await asyncio.sleep(PAUSE_SECONDS)
    for task in beside:
        task.cancel()
    await asyncio.gather(*beside, return_exceptions=True)
    return Result(way, size, build, look_ups, late, found)


async def _work(late: list[float], seconds: float) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(PAUSE_SECONDS)
        late.append(time.perf_counter() - began - PAUSE_SECONDS)
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            pass


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _has_usearch() -> bool:
    try:
        import usearch.index  # noqa: F401
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
