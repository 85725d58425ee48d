"""Usage, added up as it is asked for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.management.usage_report import Dimension, UsageQuery, make_report
from gateway.storage.usage import Figures, UsageKey, UsageRow

START = datetime(2026, 10, 31, 22, tzinfo=UTC)


def row(hours: int, subscription: str, model: str, prompt: int) -> UsageRow:
    """One call, so many hours after the start."""
    key = UsageKey(subscription, "starter", "openai", model)
    return UsageRow(START + timedelta(hours=hours), key, Figures(calls=1, prompt=prompt))


ROWS = [
    row(0, "a", "large", 1),
    row(0, "b", "large", 20),
    row(1, "a", "small", 300),
    row(2, "a", "large", 4_000),
    row(2, "b", "small", 50_000),
]

CASES: dict[str, tuple[dict[str, Any], list[tuple[str, tuple[str, ...], int]], int]] = {
    "by subscription": ({}, [("", ("b",), 50_020), ("", ("a",), 4_301)], 54_321),
    "by model": ({"by": ("model",)}, [("", ("small",), 50_300), ("", ("large",), 4_021)], 54_321),
    "by two": (
        {"by": ("model", "subscription")},
        [
            ("", ("small", "b"), 50_000),
            ("", ("large", "a"), 4_001),
            ("", ("small", "a"), 300),
            ("", ("large", "b"), 20),
        ],
        54_321,
    ),
    "by nothing": ({"by": ()}, [("", (), 54_321)], 54_321),
    "days": (
        {"per": "day", "by": ("api",)},
        [("2026-10-31", ("openai",), 321), ("2026-11-01", ("openai",), 54_000)],
        54_321,
    ),
    "months": ({"per": "month", "by": ()}, [("2026-10", (), 321), ("2026-11", (), 54_000)], 54_321),
    "hours, the most first in each": (
        {"per": "hour"},
        [
            ("2026-10-31T22:00Z", ("b",), 20),
            ("2026-10-31T22:00Z", ("a",), 1),
            ("2026-10-31T23:00Z", ("a",), 300),
            ("2026-11-01T00:00Z", ("b",), 50_000),
            ("2026-11-01T00:00Z", ("a",), 4_000),
        ],
        54_321,
    ),
    "one subscription": ({"only": {"subscription": frozenset({"a"})}}, [("", ("a",), 4_301)], 4_301),
    "either of two models": (
        {"by": (), "only": {"model": frozenset({"small", "large"}), "api": frozenset()}},
        [("", (), 54_321)],
        54_321,
    ),
    "both must be right": (
        {"only": {"subscription": frozenset({"a"}), "model": frozenset({"small"})}},
        [("", ("a",), 300)],
        300,
    ),
    "nobody": ({"only": {"product": frozenset({"other"})}}, [], 0),
}


@pytest.mark.parametrize(("asked", "groups", "total"), CASES.values(), ids=CASES.keys())
def test_reports(asked: dict[str, Any], groups: list[tuple[str, tuple[Dimension, ...], int]], total: int) -> None:
    """Which groups there are, in which order, and what each comes to."""
    report = make_report(ROWS, UsageQuery(START, START + timedelta(days=1), **asked))
    assert [(group.period, group.names, group.figures.prompt) for group in report.groups] == groups
    assert report.total.prompt == total
