"""How `usage` is printed: a table for people, JSON and CSV for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import click

from gateway.catalog.fields import write_moment
from gateway.management.cli.output import Table, cell, print_json, print_table
from gateway.management.usage_report import UsageReport
from gateway.storage.usage import COLUMNS, Figures

TITLES = (
    *("CALLS", "REFUSED", "CACHE HITS", "PROMPT TOKENS", "CACHED TOKENS", "COMPLETION TOKENS", "REASONING TOKENS"),
    *("TOTAL TOKENS", "COST (USD)"),
)
# What a spreadsheet takes for a formula: names of models come from callers.
FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n")


def print_for_people(report: UsageReport) -> None:
    """A table with a row for the total; the hours it is about, and what it leaves out, on stderr."""
    query = report.query
    span = f"from {_moment(query.start)} to {_moment(query.end)} UTC"
    if not report.total.calls:
        click.echo(f"There were no calls {span}.", err=True)
        return
    print_table(_table(report))
    click.echo(f"Usage {span}.", err=True)
    if report.total.unpriced:
        text = f"The cost leaves out {report.total.unpriced:,} calls that used tokens for which there is no price."
        click.echo(text, err=True)


def print_as_json(report: UsageReport) -> None:
    """Rows and their total."""
    query = report.query
    print_json(
        {
            "from": write_moment(query.start),
            "to": write_moment(query.end),
            "per": query.per,
            "by": list(query.by),
            "rows": [
                {
                    **({} if query.per == "total" else {"period": group.period}),
                    **{name: text or None for name, text in zip(query.by, group.names, strict=True)},
                    **_fields(group.figures),
                }
                for group in report.groups
            ],
            "total": _fields(report.total),
        }
    )


def print_as_csv(report: UsageReport) -> None:
    """A line for each row, without the total."""
    text = io.StringIO()
    writer = csv.writer(text)
    periods = [] if report.query.per == "total" else ["period"]
    writer.writerow([*periods, *report.query.by, *_fields(Figures())])
    for group in report.groups:
        cost = None if _has_no_price(group.figures) else f"{_dollars(group.figures):f}"
        figures = {**_fields(group.figures), "costUsd": cost}
        names = (group.period, *group.names) if periods else group.names
        writer.writerow([*map(_harmless, names), *figures.values()])
    click.echo(text.getvalue(), nl=False)


def _table(report: UsageReport) -> Table:
    query = report.query
    labels = (*(() if query.per == "total" else (f"{query.per.upper()} (UTC)",)), *(name.upper() for name in query.by))
    named = [
        (*((group.period,) if query.per != "total" else ()), *(cell(name) for name in group.names))
        for group in report.groups
    ]
    figures = [_cells(group.figures) for group in report.groups]
    if labels:
        named.append(("TOTAL", *[""] * (len(labels) - 1)))
        figures.append(_cells(report.total))
    titles, *rows = _aligned_right([TITLES, *figures])
    return Table((*labels, *titles), tuple((*names, *numbers) for names, numbers in zip(named, rows, strict=True)))


def _cells(figures: Figures) -> tuple[str, ...]:
    counts = (
        *(figures.calls, figures.refusals, figures.cache_hits),
        *(figures.prompt, figures.cached, figures.completion, figures.reasoning, figures.total),
    )
    return (*(f"{count:,}" for count in counts), "-" if _has_no_price(figures) else f"{_dollars(figures):,.6f}")


def _has_no_price(figures: Figures) -> bool:
    """Nothing is known of what the calls cost, which is not the same as nothing."""
    return bool(figures.unpriced and not figures.cost)


def _aligned_right(rows: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [tuple(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows]


def _fields(figures: Figures) -> dict[str, Any]:
    counts = {column: getattr(figures, name) for name, column in COLUMNS.items() if name != "cost"}
    return {
        **counts,
        "totalTokens": figures.total,
        "costUsd": None if _has_no_price(figures) else float(_dollars(figures)),
    }


def _dollars(figures: Figures) -> Decimal:
    return Decimal(figures.cost).scaleb(-9)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_BEGINNINGS) else text
