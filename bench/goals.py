"""What the figures are held against. A goal that is missed is said, not raised: a table is no test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from bench.figures import Results
from bench.stage import DIRECT, GATEWAY, HITS, KEPT, LIMITED, PLAIN, SCREENED, SLOW, UNSCREENED

OF_NGINX_NOW, OF_NGINX_BY_DESIGN = 0.08, 0.25
# What takes turns: what the ratio says, and what it is to be at least.
IN_TURNS = MappingProxyType(
    {
        (LIMITED, GATEWAY): ("with limits and metrics, of those without", 0.85),
        (HITS, GATEWAY): ("answered from the cache, of those forwarded", 0.9),
        (SCREENED, UNSCREENED): ("screened, all texts known, of those not screened", 0.9),
        (HITS, SLOW): ("answered from the cache, of those forwarded to a backend that takes 50 ms", 2.0),
    }
)
ADDED_LATENCY = 1.0
ADDED_FIRST_EVENT = 1.0
ADDED_BY_SCREENING, ADDED_TO_WINDOW, SCREENED_STREAM = 3.0, 5.0, 1.1
IMPORT_SECONDS = 0.8
ADMISSIONS_PER_SECOND = 200_000
START_SECONDS = 2.5
MEMORY_FROM, MEMORY_TO, MEMORY_GROWTH = 10_000, 100_000, 5.0
MEMORY_LONG, MEMORY_LONG_GROWTH = 1_000_000, 20.0
STORAGE_PER_SECOND = 2.0


@dataclass(frozen=True)
class Judgement:
    """One figure beside its goal."""

    name: str
    measured: str
    goal: str
    met: bool


def judge(results: Results) -> list[Judgement]:
    """A judgement for everything this run has measured."""
    parts = (_throughput, _in_turns, _latency, _screening, _first_event, _imports, _start, _ledger, _memory, _storage)
    return [judgement for part in parts for judgement in part(results)]


def ratio_of_nginx(results: Results, nginx: str, connections: int) -> float | None:
    """Requests a second of the gateway over those of an nginx, both the median of their rounds."""
    one, two = results.series(GATEWAY, connections), results.series(nginx, connections)
    return one.per_second.median / two.per_second.median if one and two else None


def added_latency(results: Results, target: str) -> float | None:
    """Milliseconds that a target adds to the backend's own, one connection, medians of p50."""
    through, direct = results.series(target, 1), results.series(DIRECT, 1)
    return through.p50.median - direct.p50.median if through and direct else None


def added_first_event(results: Results, target: str) -> float | None:
    """Milliseconds that a target adds until the first event of a short stream."""
    through, direct = results.stream(target), results.stream(DIRECT)
    return through.short_first_event.median - direct.short_first_event.median if through and direct else None


def memory_growth(results: Results, start: int, end: int) -> float | None:
    """Megabytes between two counts of requests."""
    after = results.memory.after if results.memory else {}
    return after[end] - after[start] if start in after and end in after else None


def _throughput(results: Results) -> Iterator[Judgement]:
    for nginx in (PLAIN, KEPT):
        ratio = ratio_of_nginx(results, nginx, 32)
        if ratio is not None:
            name = f"requests/s at 32 connections, of those of {nginx}"
            yield Judgement(name, f"{ratio:.3f}", f"≥ {OF_NGINX_NOW} now", ratio >= OF_NGINX_NOW)
            yield Judgement(name, f"{ratio:.3f}", f"≥ {OF_NGINX_BY_DESIGN} by design", ratio >= OF_NGINX_BY_DESIGN)


def _in_turns(results: Results) -> Iterator[Judgement]:
    for pairs in results.pairs:
        told = IN_TURNS.get((pairs.target, pairs.beside))
        if told is not None:
            name, goal = told
            ratio = pairs.ratio.median
            name = f"requests/s at {pairs.connections} connections {name}"
            yield Judgement(name, f"{ratio:.3f}", f"≥ {goal}", ratio >= goal)


def _latency(results: Results) -> Iterator[Judgement]:
    added = added_latency(results, GATEWAY)
    if added is not None:
        name = "p50 added to the backend's own, one connection"
        yield Judgement(name, f"{added:.2f} ms", f"≤ {ADDED_LATENCY:.0f} ms", added <= ADDED_LATENCY)


def _screening(results: Results) -> Iterator[Judgement]:
    found = results.screening
    if found is not None:
        added, first = found.prompt_added.median, found.first_added.median
        name = "p50 added by screening a new prompt of 200 words to the service's own"
        yield Judgement(name, f"{added:.2f} ms", f"≤ {ADDED_BY_SCREENING:.0f} ms", added <= ADDED_BY_SCREENING)
        name = "first text of a screened stream, after its first window and the service's time"
        yield Judgement(name, f"{first:.2f} ms", f"≤ {ADDED_TO_WINDOW:.0f} ms", first <= ADDED_TO_WINDOW)
        ratio = found.whole_ratio
        name = "a screened stream of 5 s, of the time of one not screened"
        yield Judgement(name, f"{ratio:.3f}", f"≤ {SCREENED_STREAM}", ratio <= SCREENED_STREAM)


def _first_event(results: Results) -> Iterator[Judgement]:
    added = added_first_event(results, GATEWAY)
    if added is not None:
        name = "first event of a stream, added to the backend's own, p50"
        yield Judgement(name, f"{added:.2f} ms", f"≤ {ADDED_FIRST_EVENT:.0f} ms", added <= ADDED_FIRST_EVENT)


def _imports(results: Results) -> Iterator[Judgement]:
    imports = results.imports
    if imports is not None:
        seconds = imports.compiled.median
        yield Judgement(
            "import of function_app", f"{seconds:.2f} s", f"≤ {IMPORT_SECONDS} s", seconds <= IMPORT_SECONDS
        )
        found = ", ".join(imports.unwanted) or "none"
        yield Judgement("modules it must not import", found, "none", not imports.unwanted)


def _start(results: Results) -> Iterator[Judgement]:
    if results.start is not None:
        seconds = results.start.whole.median
        name = "cold start, from the start of the processes to the first answered call"
        yield Judgement(name, f"{seconds:.2f} s", f"≤ {START_SECONDS} s", seconds <= START_SECONDS)


def _ledger(results: Results) -> Iterator[Judgement]:
    ledger = results.ledger
    if ledger is not None:
        rate = ledger.admissions.median
        goal = f"≥ {ADMISSIONS_PER_SECOND:,}"
        yield Judgement("admissions from a lease a second", f"{rate:,.0f}", goal, rate >= ADMISSIONS_PER_SECOND)
        name = "storage requests a second for a hot key of the ledger"
        met = ledger.operations <= STORAGE_PER_SECOND
        yield Judgement(name, f"{ledger.operations:.2f}", f"≤ {STORAGE_PER_SECOND:.0f}", met)


def _memory(results: Results) -> Iterator[Judgement]:
    goals = ((MEMORY_FROM, MEMORY_TO, MEMORY_GROWTH), (MEMORY_FROM, MEMORY_LONG, MEMORY_LONG_GROWTH))
    for start, end, limit in goals:
        grown = memory_growth(results, start, end)
        if grown is not None:
            name = f"memory of the worker, from {start:,} to {end:,} requests"
            yield Judgement(name, f"{grown:+.1f} MB", f"≤ +{limit:.0f} MB", grown <= limit)


def _storage(results: Results) -> Iterator[Judgement]:
    if results.storage:
        busiest = results.storage[-1]
        rate = busiest.total / busiest.seconds
        name = f"storage requests a second, while {busiest.calls / busiest.seconds:,.0f} calls a second are made"
        yield Judgement(name, f"{rate:.2f}", f"≤ {STORAGE_PER_SECOND:.0f}", rate <= STORAGE_PER_SECOND)
