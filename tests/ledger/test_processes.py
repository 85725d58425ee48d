"""Ledgers in processes of their own, on one Azurite, some killed: what `python -m bench.kill_test` does, shorter.

All contests are held at once, each on a counter of its own.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from bench.contention.contest import Contest
from bench.contention.run import hold
from bench.contention.verdict import Verdict

BASE = Contest(processes=3, seconds=11.0, limit=6_000, window=5, kill_seconds=0.0)
CONTESTS = {
    contest.name: contest
    for contest in (
        replace(BASE, name="unkilled"),
        replace(BASE, name="killed", kill_seconds=1.5),
        replace(BASE, name="killed, with clocks off", kill_seconds=1.5, clock_seconds=3.0),
        replace(BASE, name="quota", quota=True),
        replace(BASE, name="quota, killed", quota=True, kill_seconds=1.5),
        replace(BASE, name="counters of their own", processes=2, shared=False),
    )
}
# Windows of a few seconds are used worse than those of a minute: leases of a second are a large part of them.
# tests/bench/test_simulate.py looks at a minute's.
USED_AT_LEAST = 0.3


@pytest.fixture(scope="module")
def verdicts(azurite: str) -> dict[str, Verdict]:
    """One of each contest."""
    with ThreadPoolExecutor(len(CONTESTS)) as pool:
        held = pool.map(lambda contest: hold(contest, azurite), CONTESTS.values())
        return dict(zip(CONTESTS, held, strict=True))


@pytest.mark.parametrize("name", [name for name, contest in CONTESTS.items() if contest.shared])
def test_no_limit_is_ever_exceeded(verdicts: dict[str, Verdict], name: str) -> None:
    """No window and no day, wherever it begins, holds more than its limit; kills lose a lease each at most."""
    verdict = verdicts[name]
    assert verdict.failings(USED_AT_LEAST) == []
    assert verdict.refusals > 0
    assert (verdict.kills > 0) == (verdict.contest.kill_seconds > 0)


def test_the_whole_quota_is_used_and_nothing_is_lost(verdicts: dict[str, Verdict]) -> None:
    """All but what the smallest call is too large for; what storage has is what was admitted."""
    verdict = verdicts["quota"]
    assert verdict.most > verdict.contest.allowed - verdict.contest.largest
    assert verdict.lost == 0


def test_a_limit_that_is_exceeded_would_be_seen(verdicts: dict[str, Verdict]) -> None:
    """Two processes with a counter each admit twice the limit, and the same checks say so."""
    verdict = verdicts["counters of their own"]
    assert verdict.over > 0.5 * verdict.contest.limit
    assert any("over the limit" in failing for failing in verdict.failings(USED_AT_LEAST))
