"""`limits show` and `limits reset`: what counters have left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click

from gateway.catalog.fields import write_moment
from gateway.management.cli.failures import Refused
from gateway.management.cli.options import JSON, Command, epilog
from gateway.management.cli.output import Table, print_json, print_table, printable
from gateway.management.cli.session import run_on_tables
from gateway.management.counters import Counter, Counters, MeterState
from gateway.storage.ledger import LedgerStore
from gateway.storage.tables import Tables

ALL = "*"
TITLES = ("COUNTER", "METER", "LIMIT", "USED", "LEFT", "NEXT FREES (UTC)", "ALL FREE (UTC)")
HELD = "USED has in it what instances hold for calls of the next seconds; what they do not need they give back."
# Spans are told in the largest unit of which there are at least two.
SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"))


@click.group(
    epilog=epilog(["limits show", "limits show subscription:team-a", "limits reset subscription:team-a"]),
)
def limits() -> None:
    """See and reset the counters of token limits, rate limits, quotas and budgets."""


@limits.command(
    cls=Command,
    examples=[
        "limits show",
        "limits show subscription:team-a",
        "limits show 'subscription:*'",
        "limits show subscription:team-a --json",
    ],
)
@click.argument("key", default=ALL)
@JSON
def show(key: str, as_json: bool) -> None:
    """Show what a counter has left, and when it frees; without KEY, all counters.

    KEY is a counter key as it is made for calls, such as subscription:team-a; * in it stands for any text. USED is what
    instances of the gateway were granted. They take what they expect to need for the next seconds before it is spent,
    at most half of what is left each time, and give back within a second or so what they do not need: while there are
    calls, less is used than USED says, and more is left than LEFT. Tokens and calls are counted in whole numbers, usd
    in US dollars.
    """
    found = run_on_tables(lambda tables: _find(tables, key))
    if not found and ALL not in key:
        raise _unknown(key)
    if as_json:
        print_json([_fields(counter) for counter in found] if ALL in key else _fields(found[0]))
    else:
        _print(found)


@limits.command(
    cls=Command, examples=["limits reset subscription:team-a", "limits reset subscription:team-a+model:gpt-4o --json"]
)
@click.argument("key")
@JSON
def reset(key: str, as_json: bool) -> None:
    """Empty every meter of a counter, as if nothing had been used.

    One counter at a time: a * in KEY is a * and stands for no other text. Instances of the gateway that refuse calls
    for it follow within seconds.
    """
    counter = run_on_tables(lambda tables: Counters(LedgerStore(tables)).reset(key))
    if counter is None:
        raise _not_one(key) if ALL in key else _unknown(key)
    if as_json:
        print_json(_fields(counter))
    else:
        click.echo(printable(f"Counter {key} is empty."))


async def _find(tables: Tables, key: str) -> Sequence[Counter]:
    counters = Counters(LedgerStore(tables))
    if ALL in key:
        return [counter async for counter in counters.find(key)]
    counter = await counters.show(key)
    return [] if counter is None else [counter]


def _unknown(key: str) -> Refused:
    return Refused(f"Counter {key}: nothing was ever counted for it; `limits show` lists the counters there are.")


def _not_one(key: str) -> Refused:
    return Refused(
        f"Counter {key}: `limits reset` empties one counter, by its whole key; `limits show '{key}'` lists them."
    )


def _print(found: Sequence[Counter]) -> None:
    now = datetime.now(UTC)
    rows = tuple((counter.key, *_cells(state, now)) for counter in found for state in counter.meters)
    if rows:
        print_table(Table(TITLES, rows))
    if any(state.used for counter in found for state in counter.meters):
        click.echo(HELD, err=True)
    for counter in found:
        if counter.fault is not None:
            text = f"Counter {counter.key}: {counter.fault}; `limits reset` makes a new one."
            click.echo(printable(text), err=True)
    if not found:
        click.echo("Nothing is counted.", err=True)
    elif not rows and not any(counter.fault for counter in found):
        click.echo("Nothing is used.", err=True)


def _cells(state: MeterState, now: datetime) -> tuple[str, ...]:
    amounts = (_amount(state, amount) for amount in (state.limit, state.used, state.left))
    moments = (_moment(moment, now) for moment in (state.next_free, state.all_free))
    return (state.meter.name, *(_written(amount) for amount in amounts), *moments)


def _written(amount: int | Decimal) -> str:
    # A Decimal alone would be written as 2.9E-8.
    return f"{amount:,f}" if isinstance(amount, Decimal) else f"{amount:,}"


def _moment(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "-"
    seconds = max(0, round((moment - now).total_seconds()))
    span = next((f"{seconds // size} {unit}" for size, unit in SPANS if seconds >= 2 * size), f"{seconds} s")
    return f"{moment:%Y-%m-%d %H:%M:%S} (in {span})"


def _amount(state: MeterState, amount: int) -> int | Decimal:
    return Decimal(amount).scaleb(-9).normalize() + 0 if state.meter.unit == "usd" else amount


def _fields(counter: Counter) -> dict[str, Any]:
    fields: dict[str, Any] = {"key": counter.key, "meters": [_meter_fields(state) for state in counter.meters]}
    return fields if counter.fault is None else {**fields, "fault": counter.fault}


def _meter_fields(state: MeterState) -> dict[str, Any]:
    def number(amount: int) -> float | int:
        return float(_amount(state, amount)) if state.meter.unit == "usd" else amount

    return {
        "meter": state.meter.name,
        "limit": number(state.limit),
        "used": number(state.used),
        "left": number(state.left),
        "nextFreesAt": write_moment(state.next_free) if state.next_free else None,
        "allFreeAt": write_moment(state.all_free) if state.all_free else None,
    }
