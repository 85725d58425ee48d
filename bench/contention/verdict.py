"""What came of a contest, by the merged journals and the record that is left."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from bench.contention.contest import Contest
from bench.contention.journal import Entries
from bench.spans import fullest_span, mean_span
from gateway.ledger.record import Record

USED_AT_LEAST = 0.95


@dataclass(frozen=True)
class Verdict:
    """Amounts are in tokens.

    `most` is what the fullest window or day holds, `used` the mean window's, or the day's, part of the limit. `lost`
    is what counts in the record and was never spent; a quota's alone, for in a window it is soon forgotten.
    """

    contest: Contest
    kills: int
    admissions: int
    refusals: int
    most: int
    used: float
    lost: int
    largest_grant: int

    @property
    def over(self) -> int:
        """What was admitted beyond the limit, in the window or day where it is most."""
        return max(0, self.most - self.contest.allowed)

    def failings(self, used_at_least: float = USED_AT_LEAST) -> list[str]:
        """Which promises were broken, in words."""
        failings = []
        if not self.admissions:
            failings.append("nothing was admitted")
        if self.over:
            failings.append(f"{self.over:,} tokens over the limit were admitted")
        if not self.kills and self.used < used_at_least:
            failings.append(f"{self.used:.1%} of the limit was used, and nobody was killed")
        if not 0 <= self.lost <= self.kills * self.largest_grant:
            failings.append(f"{self.lost:,} tokens were lost by {self.kills} kills")
        return failings


def judge(contest: Contest, entries: Entries, kills: int, record: Record) -> Verdict:
    """Look at every admission."""
    most, used, lost = _of_day(contest, entries, record) if contest.quota else _of_window(contest, entries)
    return Verdict(
        contest=contest,
        kills=kills,
        admissions=len(entries.admissions),
        refusals=entries.refusals,
        most=most,
        used=used / contest.allowed,
        lost=lost,
        largest_grant=max(entries.grants, default=0),
    )


def _of_window(contest: Contest, entries: Entries) -> tuple[int, float, int]:
    if not entries.admissions:
        return 0, 0.0, 0
    begin, end = entries.admissions[0].moment, entries.admissions[0].moment + contest.seconds
    mean = mean_span(entries.admissions, contest.window, begin, end)
    return fullest_span(entries.admissions, contest.window).amount, mean, 0


def _of_day(contest: Contest, entries: Entries, record: Record) -> tuple[int, float, int]:
    days: Counter[int] = Counter()
    for admission in entries.admissions:
        days[contest.meter.window.slot(admission.moment)] += admission.amount
    granted = sum(record.count(contest.meter).slots.values())
    most = max(days.values(), default=0)
    return most, most, granted - days.total()
