"""Two targets in short turns directly after each other, for ratios that a noisy machine does not blur.

Over a whole run a shared machine drifts by more than some ratios are about. Within seconds it hardly does: each turn's
ratio is taken by itself, and the median of many is quoted.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.figures import Pairs
from bench.plan import Plan
from bench.progress import say
from bench.stage import GATEWAY, HITS, LIMITED, SLOW, Stage

CONNECTIONS = 32


def measure_limits(stage: Stage, plan: Plan) -> Pairs:
    """The gateway with limits and metrics beside the one without."""
    return in_turns((LIMITED, GATEWAY), lambda target: measured_rate(stage, target, plan.pair_seconds), plan.pairs)


def measure_hits(stage: Stage, plan: Plan) -> tuple[Pairs, ...]:
    """A question that is in the cache, beside ones that are forwarded: to a fast backend, and to a slow one."""
    return tuple(
        in_turns((HITS, beside), lambda target: measured_rate(stage, target, plan.pair_seconds), plan.pairs // 2)
        for beside in (GATEWAY, SLOW)
    )


def in_turns(targets: tuple[str, str], measure: Callable[[str], float], turns: int) -> Pairs:
    """Measure both in every turn, and the other one first in every second."""
    target, beside = targets
    rates: list[tuple[float, float]] = []
    for turn in range(turns):
        order = (target, beside) if turn % 2 else (beside, target)
        found = {name: measure(name) for name in order}
        rates.append((found[target], found[beside]))
        say(f"{target}, turn {turn + 1} of {turns}: {found[target]:,.0f}/s of {found[beside]:,.0f}/s")
    return Pairs(target, beside, CONNECTIONS, tuple(rates))


def measured_rate(stage: Stage, target: str, seconds: int) -> float:
    """Requests a second of one of `stage.turns`."""
    port, call = stage.turns[target]
    load = stage.load.run(port, CONNECTIONS, seconds, call)
    stage.gateway.empty_log()
    stage.limited.empty_log()
    return load.per_second
