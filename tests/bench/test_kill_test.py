"""The command around contests of processes; tests/ledger/test_processes.py holds some."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.contention.contest import Contest
from bench.contention.verdict import Verdict
from bench.kill_test import contest_of, parse, render
from local.processes import REPOSITORY

CONTESTS = {
    "what must hold": ([], Contest()),
    "nobody is killed": (["--no-kills"], Contest(kill_seconds=0.0)),
    "a quota": (["--quota", "--seconds", "30"], Contest(quota=True, seconds=30.0)),
    "shorter": (["--seconds", "20", "--window", "6", "--limit", "6000"], Contest(seconds=20.0, window=6, limit=6_000)),
}


@pytest.mark.parametrize("case", CONTESTS)
def test_options(case: str) -> None:
    """Without any: 8 processes, one of them killed every 4 seconds, 60,000 tokens a minute, 5 times that, 3 minutes."""
    arguments, expected = CONTESTS[case]
    assert contest_of(parse(arguments)) == expected


def test_a_contest_shorter_than_its_window_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """It could not break the limit: wrong usage."""
    with pytest.raises(SystemExit) as ended:
        parse(["--seconds", "30"])
    assert ended.value.code == 2
    assert "no whole window" in capsys.readouterr().err


def test_the_demand_is_spread_over_the_processes() -> None:
    """5,000 tokens a second, in calls of 100 on average, of eight."""
    assert Contest().calls_a_second * 8 * 100 == 5_000


def test_the_report() -> None:
    """Every figure in a row; what was lost only of a quota."""
    verdict = Verdict(Contest(), 42, 1_800, 7_000, 59_900, 0.957, 0, 2_700)
    rows = render(verdict).splitlines()
    assert "| admitted in the fullest 60 s, tokens | 59,900 |" in rows
    assert "| admitted over the limit, tokens | 0 |" in rows
    assert "| of the limit used | 95.7% |" in rows
    quota = render(Verdict(Contest(quota=True), 42, 1_800, 7_000, 449_000, 0.998, 700, 2_700))
    assert "| granted and lost by kills, tokens | 700 |" in quota.splitlines()


def test_help() -> None:
    """--help names every option, with examples."""
    command = [sys.executable, "-m", "bench.kill_test", "--help"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for option in ("--seconds", "--no-kills", "--quota", "--clock-seconds", "examples:"):
        assert option in done.stdout
