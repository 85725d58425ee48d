"""Usage as operators ask for it: some of the calls, added up by some of their properties, over some periods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.storage.usage import Figures, UsageRow

Dimension = Literal["subscription", "product", "api", "model"]
Per = Literal["hour", "day", "month", "total"]


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Which hours (UTC, `end` not among them), added up by what; `only` names those that count, where it has any."""

    start: datetime
    end: datetime
    by: tuple[Dimension, ...] = ("subscription",)
    per: Per = "total"
    only: Mapping[Dimension, frozenset[str]] | None = None


@dataclass(frozen=True, slots=True)
class UsageGroup:
    """What calls with the same names came to in one period. `names` are those of the query's `by`, in its order."""

    period: str
    names: tuple[str, ...]
    figures: Figures


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Groups in the order of time, and those of one period with the most tokens first."""

    query: UsageQuery
    groups: tuple[UsageGroup, ...]
    total: Figures


def make_report(rows: Iterable[UsageRow], query: UsageQuery) -> UsageReport:
    """Add up the rows that the query asks for."""
    total = Figures()
    groups: dict[tuple[str, tuple[str, ...]], UsageGroup] = {}
    for row in rows:
        if not _counts(row, query.only or {}):
            continue
        place = (period_of(row.hour, query.per), tuple(getattr(row.key, name) for name in query.by))
        group = groups.get(place)
        if group is None:
            group = groups[place] = UsageGroup(*place, Figures())
        group.figures.add(row.figures)
        total.add(row.figures)
    return UsageReport(query, tuple(sorted(groups.values(), key=_order)), total)


def period_of(hour: datetime, per: Per) -> str:
    """`2026-11-23T05:00Z`, `2026-11-23`, `2026-11`, or nothing for the total."""
    text = hour.isoformat()
    return {"hour": f"{text[:16]}Z", "day": text[:10], "month": text[:7], "total": ""}[per]


def _counts(row: UsageRow, only: Mapping[Dimension, frozenset[str]]) -> bool:
    return all(getattr(row.key, name) in wanted for name, wanted in only.items() if wanted)


def _order(group: UsageGroup) -> tuple[str, int, int, tuple[str, ...]]:
    return group.period, -group.figures.total, -group.figures.calls, group.names
