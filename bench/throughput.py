"""Small chat calls through every target, in rounds that take turns."""

from __future__ import annotations

from bench.figures import Load, Series
from bench.plan import Plan
from bench.processor import Meter
from bench.progress import say
from bench.stage import Stage

WARM_UP_SECONDS = 1


def measure_throughput(stage: Stage, plan: Plan) -> tuple[Series, ...]:
    """Every target at every number of connections, in every round."""
    kinds = [(target, connections) for connections in plan.connections for target in stage.ports]
    loads: dict[tuple[str, int], list[Load]] = {kind: [] for kind in kinds}
    processor: dict[tuple[str, int], list[dict[str, float]]] = {kind: [] for kind in kinds}
    for target, port in stage.ports.items():
        stage.load.run(port, max(plan.connections), WARM_UP_SECONDS, stage.calls.get(target))
    for number in range(plan.load_rounds):
        for target, connections in kinds:
            meter = Meter(stage.processes(target))
            load = stage.load.run(stage.ports[target], connections, plan.load_seconds, stage.calls.get(target))
            loads[target, connections].append(load)
            processor[target, connections].append(meter.microseconds(load.requests))
            say(f"throughput, round {number + 1} of {plan.load_rounds}: {_line(target, connections, load)}")
            stage.gateway.empty_log()
            stage.limited.empty_log()
    return tuple(Series(*kind, tuple(loads[kind]), tuple(processor[kind])) for kind in kinds)


def _line(target: str, connections: int, load: Load) -> str:
    return f"{target}, {connections} connections: {load.per_second:,.0f}/s, p50 {load.p50:.2f} ms"
