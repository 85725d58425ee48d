"""`usage`: tokens, calls and their cost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast, get_args

import click

from gateway.management.cli.options import JSON, Command
from gateway.management.cli.session import run_on_tables
from gateway.management.cli.usage_output import print_as_csv, print_as_json, print_for_people
from gateway.management.cli.usage_span import span_of
from gateway.management.usage_report import Dimension, Per, UsageQuery, UsageReport, make_report
from gateway.storage.tables import Tables
from gateway.storage.usage import UsageStore

NONE = "none"


def _dimensions(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[Dimension, ...]:
    names = [name.strip() for value in values for name in value.split(",")]
    if names == [NONE]:
        return ()
    if NONE in names:
        raise click.BadParameter(f"{NONE} adds all calls up, and goes with no other name.")
    unknown = [name for name in names if name not in get_args(Dimension)]
    if unknown:
        raise click.BadParameter(f'must be of {", ".join(get_args(Dimension))}, or {NONE}, and has "{unknown[0]}".')
    return cast(tuple[Dimension, ...], tuple(dict.fromkeys(names)) or ("subscription",))


@click.command(
    cls=Command,
    examples=[
        "usage",
        "usage --by subscription,model --last 7d",
        "usage --by api --per day --from 2026-11-01 --to 2026-11-30",
        "usage --by none --per hour --subscription team-a --json",
        "usage --per month --last 90d --csv",
    ],
)
@click.option(
    "--by",
    multiple=True,
    callback=_dimensions,
    metavar="NAMES",
    help="Add up by these: subscription (default), product, api, model, several with commas; none for all calls.",
)
@click.option("--per", type=click.Choice(get_args(Per)), default="total", help="A row for each of these, in UTC.")
@click.option("--last", metavar="SPAN", help="Hours or days up to now, such as 24h (default), 7d, 30d.")
@click.option("--from", "first", metavar="DATE", help="From this date (UTC) or RFC 3339 time on.")
@click.option("--to", "until", metavar="DATE", help="Up to this time, or to the end of this date (UTC). Default: now.")
@click.option("--subscription", multiple=True, metavar="NAME", help="Only this one; may be given several times.")
@click.option("--product", multiple=True, metavar="NAME", help="Likewise.")
@click.option("--api", multiple=True, metavar="NAME", help="Likewise.")
@click.option("--model", multiple=True, metavar="NAME", help="Likewise.")
@JSON
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, for spreadsheets.")
def usage(
    by: tuple[Dimension, ...],
    per: Per,
    last: str | None,
    first: str | None,
    until: str | None,
    as_json: bool,
    as_csv: bool,
    **only: tuple[str, ...],
) -> None:
    """Show what calls used: tokens, cost, refusals, cache hits.

    Usage is kept for each hour in UTC, so times are taken as whole hours; --last 24h is the hour now and the 23 before
    it, --last 7d today and the six days before. Instances write it every GATEWAY_USAGE_FLUSH_SECONDS (2 s).

    CALLS are all calls that reached an API, those that a limit refused (REFUSED) among them. Cached tokens are among
    the prompt's, reasoning tokens among the completion's. An empty name in a filter stands for calls without one.
    """
    if as_json and as_csv:
        raise click.UsageError("Give --json or --csv, not both.")
    start, end = span_of(last, first, until, datetime.now(UTC))
    wanted = {cast(Dimension, name): frozenset(names) for name, names in only.items()}
    report = run_on_tables(lambda tables: _report(tables, UsageQuery(start, end, by, per, wanted)))
    (print_as_json if as_json else print_as_csv if as_csv else print_for_people)(report)


async def _report(tables: Tables, query: UsageQuery) -> UsageReport:
    return make_report(await UsageStore(tables).read(query.start, query.end), query)
