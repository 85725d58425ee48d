"""Simulations: the ledger keeps its promises in them, and they notice when it does not."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.documents import END, with_results
from bench.simulate import BEGIN, DOCUMENT, parse, scenarios, try_out
from bench.simulation.cell import Scenario, simulate
from bench.simulation.plot import draw
from bench.simulation.report import render
from gateway.ledger.store import Stored, Written
from local.processes import REPOSITORY

SMALL = Scenario(instances=1, keys=1, seconds=150, calls_a_second=50.0)
MINUTE = Scenario(instances=8, keys=1, seconds=180, calls_a_second=50.0, times_the_limit=5.0, smallest=50, largest=150)

CELLS = {
    "one instance": SMALL,
    "one instance, ten keys": replace(SMALL, keys=10),
    "eight instances": replace(SMALL, instances=8),
    "eight instances, less asked for than allowed": replace(SMALL, instances=8, times_the_limit=0.8),
    "fifty instances, clocks 3 s off": replace(SMALL, instances=50, clock_seconds=3.0),
    "more instances than calls in a window of a key": replace(SMALL, instances=50, keys=100),
}


@pytest.mark.parametrize("name", CELLS)
def test_no_window_holds_more_than_the_limit(name: str) -> None:
    """Whatever the number of instances and keys, wherever the window begins."""
    outcome = simulate(CELLS[name])
    assert outcome.over == 0
    assert outcome.unavailable == 0
    assert outcome.admitted > 0
    assert (outcome.refused > 0) == (outcome.scenario.times_the_limit > 1)


def test_a_minute_is_used() -> None:
    """Eight instances, 60,000 tokens a minute, five times that asked for: what the processes are tried with."""
    assert MINUTE.limit == 60_000
    outcome = simulate(MINUTE)
    assert outcome.over == 0
    assert outcome.used > 0.9
    assert outcome.operations_of_an_instance <= 2


class Forgetful:
    """A store that tells every instance that nobody has written: each believes that it has the limit for itself."""

    def __init__(self) -> None:
        self.writes = 0

    async def read(self, key: str) -> Stored | None:
        """Nothing."""
        return None

    async def write(self, key: str, text: str, etag: str | None) -> Written:
        """Thrown away."""
        self.writes += 1
        return Written(str(self.writes))


def test_a_broken_store_would_be_seen() -> None:
    """Where instances hear nothing of each other, each admits the whole limit, and the outcome says so."""
    outcome = simulate(replace(SMALL, instances=2), lambda store: Forgetful())
    assert outcome.over > 0.5 * SMALL.limit


def test_a_simulation_can_be_repeated() -> None:
    """The same seed gives the same outcome; another one another."""
    scenario = replace(SMALL, instances=4, seconds=70)
    assert simulate(scenario) == simulate(scenario)
    assert simulate(scenario) != simulate(replace(scenario, seed=2))


def test_where_storage_is_too_busy_both_ways_are_tried() -> None:
    """Beyond what a partition takes, here 50 a second, calls are refused, or let through and counted later."""
    crowded = replace(SMALL, instances=50, seconds=65, partition_a_second=50)
    denied, allowed = try_out(crowded)
    assert denied.busiest_partition == allowed.busiest_partition == 50
    assert denied.unavailable > 0
    assert denied.over == 0
    assert allowed.unavailable == 0


def test_the_grid() -> None:
    """Every number of keys with every number of instances, for each demand."""
    options = parse(["--instances", "1,8", "--keys", "1,100", "--times", "2", "--seconds", "90"])
    assert [(cell.keys, cell.instances, cell.seconds) for cell in scenarios(options)] == [
        (1, 1, 90), (1, 8, 90), (100, 1, 90), (100, 8, 90),
    ]  # fmt: skip
    assert len(scenarios(parse([]))) == 24


def test_help() -> None:
    """--help names every option, with examples."""
    command = [sys.executable, "-m", "bench.simulate", "--help"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for option in ("--instances", "--keys", "--seconds", "--write-docs", "examples:"):
        assert option in done.stdout


def test_what_is_written(tmp_path: Path) -> None:
    """A table whose rows are as wide as its header, in the place that the document has for it, and the plot."""
    outcomes = [simulate(replace(SMALL, instances=instances, seconds=61)) for instances in (1, 2)]
    report = render([*outcomes, replace(outcomes[0], scenario=replace(SMALL, deny=False))])
    widths = {line.count("|") for line in report.splitlines() if line.startswith("|")}
    assert len(widths) == 1
    assert report in with_results(f"{BEGIN}\n{END}", report, BEGIN)
    assert BEGIN in DOCUMENT.read_text()
    draw(outcomes, tmp_path / "plots" / "plot.svg")
    assert "tokens admitted over the limit" in (tmp_path / "plots" / "plot.svg").read_text()
