"""Verdicts over journals that were written by hand: what is broken is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.contention.contest import Contest
from bench.contention.journal import ADMITTED, GRANTED, REFUSED, Entries, Journal
from bench.contention.verdict import Verdict, judge
from bench.spans import Admission
from gateway.ledger.record import Count, Record

CONTEST = Contest(processes=2, seconds=180.0, limit=1_000, window=60)
QUOTA = Contest(processes=2, seconds=120.0, limit=100, window=60, quota=True)


def entries(*admissions: tuple[float, int], grants: tuple[int, ...] = ()) -> Entries:
    """Those of all processes."""
    return Entries(tuple(Admission(moment, amount) for moment, amount in admissions), grants, 0)


def steady(amount: int) -> Entries:
    """So much each second."""
    return entries(*((float(second), amount) for second in range(180)))


def of_day(granted: int) -> Record:
    """A record in which so much of the first day of 1970 is granted."""
    return Record({QUOTA.meter: Count({0: granted})})


def verdict_on(case: str) -> Verdict:
    """Of one of the cases."""
    contest, found, kills, record = CASES[case][:4]
    return judge(contest, found, kills, record)


FULL = steady(16)
CASES: dict[str, tuple[Contest, Entries, int, Record, list[str]]] = {
    "all is well": (CONTEST, FULL, 0, Record(), []),
    "nothing admitted": (
        CONTEST,
        entries(),
        0,
        Record(),
        ["nothing was admitted", "0.0% of the limit was used, and nobody was killed"],
    ),
    "a window is too full": (CONTEST, steady(17), 0, Record(), ["20 tokens over the limit were admitted"]),
    "too little is used": (CONTEST, steady(15), 0, Record(), ["90.0% of the limit was used, and nobody was killed"]),
    "after kills less may be used": (CONTEST, steady(15), 3, Record(), []),
    "the quota is kept": (QUOTA, entries((1.0, 300), (90.0, 200)), 0, of_day(500), []),
    "over the quota, however slowly": (
        QUOTA,
        entries((1.0, 300), (119.0, 201)),
        1,
        of_day(501),
        ["1 tokens over the limit were admitted"],
    ),
    "a lease lost by a kill": (QUOTA, entries((1.0, 300), grants=(100, 200)), 1, of_day(500), []),
    "more than a lease lost by a kill": (
        QUOTA,
        entries((1.0, 299), grants=(100, 200)),
        1,
        of_day(500),
        ["201 tokens were lost by 1 kills"],
    ),
    "something lost without a kill": (
        QUOTA,
        entries((1.0, 490), grants=(500,)),
        0,
        of_day(500),
        ["10 tokens were lost by 0 kills"],
    ),
    "spent without a grant": (
        QUOTA,
        entries((1.0, 500), grants=(490,)),
        1,
        of_day(490),
        ["-10 tokens were lost by 1 kills"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_broken_is_said(case: str) -> None:
    """And nothing else is."""
    assert verdict_on(case).failings() == CASES[case][4]


def test_journals_of_several_processes_are_merged(tmp_path: Path) -> None:
    """In the order of time, whoever wrote first; each kind of line counts as what it is."""
    for number, moment in ((1, 20.5), (2, 10.25)):
        journal = Journal(tmp_path / f"{number}.journal")
        journal.note(GRANTED, moment - 1, 100 * number)
        journal.note(ADMITTED, moment, number)
        journal.note(REFUSED, moment + 1, 7)
        journal.close()
    assert Entries.of(sorted(tmp_path.iterdir())) == Entries((Admission(10.25, 2), Admission(20.5, 1)), (100, 200), 2)


def test_a_contest_survives_its_text() -> None:
    """A process is told all of it."""
    assert Contest.from_text(QUOTA.to_text()) == QUOTA


def test_clocks_lie_evenly() -> None:
    """From the slowest to the fastest; a single process's is as slow as it may be."""
    contest = Contest(processes=3, clock_seconds=2.0)
    assert [contest.clock_offset(number) for number in range(3)] == [-2.0, 0.0, 2.0]
    assert Contest(processes=1, clock_seconds=2.0).clock_offset(0) == -2.0
