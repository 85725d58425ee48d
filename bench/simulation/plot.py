"""The outcomes as pictures. Imports matplotlib, which nothing else needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.simulation.cell import Outcome
from bench.simulation.store import PARTITION_A_SECOND

# Text stays text, and the same figures make the same file.
STYLE: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "ledger", "font.size": 9}

# What it shows, of which outcome, and whether its scale is logarithmic.
Panel = tuple[str, Callable[[Outcome], float], bool]
PANELS: tuple[Panel, ...] = (
    ("tokens admitted over the limit", lambda outcome: outcome.over, False),
    ("of the limit used, %", lambda outcome: 100 * outcome.used, False),
    ("storage operations a second", lambda outcome: outcome.operations, True),
    ("most operations of a partition in a second", lambda outcome: outcome.busiest_partition, True),
    ("storage operations a second of one instance", lambda outcome: outcome.operations_of_an_instance, True),
    ("added latency, p99, ms", lambda outcome: max(outcome.p99, 0.1), True),
)


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """One picture, a panel for each figure, over the number of instances: lines differ in keys and in demand."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 9), layout="constrained")
        axes = figure.subplots(3, 2)
        for axis, (title, value, is_logarithmic) in zip(axes.flat, PANELS, strict=True):
            for number, line in enumerate(_lines(outcomes)):
                _plot(axis, line, value, f"C{number}")
            axis.set(title=title, xlabel="instances", xscale="log", yscale="log" if is_logarithmic else "linear")
            axis.grid(visible=True, alpha=0.3)
        axes.flat[3].axhline(PARTITION_A_SECOND, color="grey", linestyle="--", label="where a partition ends")
        axes.flat[3].legend(fontsize="x-small")
        axes.flat[1].set_ylim(0, 105)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})


def _lines(outcomes: Sequence[Outcome]) -> Iterator[list[Outcome]]:
    """Outcomes that differ in the number of instances only."""
    for keys, times in sorted({(each.scenario.keys, each.scenario.times_the_limit) for each in outcomes}):
        yield [each for each in outcomes if (each.scenario.keys, each.scenario.times_the_limit) == (keys, times)]


def _plot(axis: Axes, line: list[Outcome], value: Callable[[Outcome], float], colour: str) -> None:
    scenario = line[0].scenario
    label = f"{scenario.keys:,} keys, {scenario.times_the_limit:.0%} asked for"
    style = "-" if scenario.times_the_limit > 1 else ":"
    instances = [outcome.scenario.instances for outcome in line]
    axis.plot(instances, [value(outcome) for outcome in line], style, marker="o", color=colour, label=label)
