"""The outcomes as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from bench.simulation.cell import Outcome, Scenario
from bench.tables import table

HEADER = (
    "asked for, of the limit", "instances", "keys", "limit of a key", "over the limit", "of the limit used",
    "storage operations/s", "of one instance", "most in a partition", "conflicts/s", "503/s",
    "calls without storage", "p50 ms", "p99 ms",
)  # fmt: skip


def render(outcomes: Sequence[Outcome]) -> str:
    """What was simulated, and a table; a second one of what happened where calls were allowed without storage."""
    sections = [about(outcomes[0].scenario)]
    denying = [outcome for outcome in outcomes if outcome.scenario.deny]
    allowing = [outcome for outcome in outcomes if not outcome.scenario.deny]
    if denying:
        sections.append("With `onUnavailable: deny`:\n\n" + _table(denying))
    if allowing:
        sections.append("With `onUnavailable: allow`:\n\n" + _table(allowing))
    return "\n\n".join(sections) + "\n"


def about(scenario: Scenario) -> str:
    """What all scenarios have in common."""
    return (
        f"{scenario.seconds} simulated seconds, {scenario.calls_a_second:,.0f} calls a second in all, of "
        f"{scenario.smallest:,} to {scenario.largest:,} tokens, each for any key on any instance. "
        f"Clocks off by up to {scenario.clock_seconds:g} s. Seed {scenario.seed}."
    )


def _table(outcomes: Sequence[Outcome]) -> str:
    return table(HEADER, [_row(outcome) for outcome in outcomes])


def _row(outcome: Outcome) -> tuple[str, ...]:
    scenario = outcome.scenario
    return (
        f"{scenario.times_the_limit:.0%}",
        f"{scenario.instances:,}",
        f"{scenario.keys:,}",
        f"{scenario.limit:,}",
        f"{outcome.over:,}",
        f"{outcome.used:.1%}",
        f"{outcome.operations:,.1f}",
        f"{outcome.operations_of_an_instance:,.2f}",
        f"{outcome.busiest_partition:,}"
        + (" (full)" if outcome.busiest_partition >= scenario.partition_a_second else ""),
        f"{outcome.conflicts:,.1f}",
        f"{outcome.busy:,.1f}",
        f"{outcome.unavailable_share:.1%}",
        f"{outcome.p50:,.1f}",
        f"{outcome.p99:,.1f}",
    )
