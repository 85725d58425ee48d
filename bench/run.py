"""One run: the parts that were asked for, in the order in which they disturb one another least."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime

from bench.figures import Results
from bench.imports import measure_imports
from bench.ledger import measure_ledger
from bench.machine import describe_machine
from bench.memory import measure_memory
from bench.pairs import measure_hits, measure_limits
from bench.plan import Plan
from bench.profiling import measure_profile
from bench.progress import say
from bench.safety import measure_known, measure_screening
from bench.stage import Stage
from bench.start import measure_start
from bench.storage import measure_storage
from bench.streams import measure_streams
from bench.throughput import measure_throughput
from bench.tools import find_tools

# What needs nothing running.
NEED_NOTHING = ("imports", "ledger")


def measure(plan: Plan, parts: Collection[str]) -> Results:
    """Everything in `parts`. Raises BenchFailed or ProcessFailed; leaves nothing running."""
    needs_stage = any(part not in NEED_NOTHING for part in parts)
    tools = find_tools() if needs_stage else None
    started = datetime.now(UTC).isoformat(sep=" ", timespec="minutes")
    results = Results(plan.name, started, describe_machine(tools))
    if "imports" in parts:
        results = replace(results, imports=measure_imports(plan))
    if "ledger" in parts:
        results = replace(results, ledger=measure_ledger(plan))
    if tools is None:
        return results
    say("starting nginx, Azurite and the gateway")
    with Stage(tools) as stage:
        results = _measure_on(stage, plan, parts, results)
        say("stopping")
    return results


def _measure_on(stage: Stage, plan: Plan, parts: Collection[str], results: Results) -> Results:
    # Memory first, because it counts from the worker's start; the profile last, because it slows the worker.
    if "memory" in parts:
        results = replace(results, memory=measure_memory(stage, plan))
    if "start" in parts:
        results = replace(results, start=measure_start(stage, plan))
    if "throughput" in parts:
        results = replace(results, throughput=measure_throughput(stage, plan))
    if "limits" in parts:
        results = replace(results, pairs=(*results.pairs, measure_limits(stage, plan)))
    if "hits" in parts:
        results = replace(results, pairs=(*results.pairs, *measure_hits(stage, plan)))
    if "safety" in parts:
        results = replace(results, pairs=(*results.pairs, measure_known(stage, plan)))
        results = replace(results, screening=measure_screening(stage, plan))
    if "streams" in parts:
        results = replace(results, streams=measure_streams(stage.event_ports, stage.call, plan))
    if "storage" in parts:
        results = replace(results, storage=measure_storage(stage, plan))
    if "profile" in parts:
        results = replace(results, profile=measure_profile(stage, plan))
    return results
