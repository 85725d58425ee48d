"""The span of time that `usage` is asked for, in whole hours of UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

from gateway.catalog.fields import parse_moment
from gateway.storage.usage import hour_of, next_hour

LAST = re.compile(r"([1-9][0-9]{0,3})([hd])")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
DEFAULT_LAST = "24h"

Span = tuple[datetime, datetime]


def span_of(last: str | None, first: str | None, until: str | None, now: datetime) -> Span:
    """Beginning and end; raise click.UsageError, which says what is wrong.

    `last` (`24h`, `7d`) ends now and counts the hour or day that is not over yet as one. `first` and `until` are dates,
    the latter among the days that count, or moments.
    """
    if last is not None and (first is not None or until is not None):
        raise click.UsageError("--last goes without --from and --to.")
    if until is not None and first is None:
        raise click.UsageError("--to needs --from.")
    try:
        if first is None:
            return _last(last or DEFAULT_LAST, now)
        start, end = hour_of(_moment("--from", first)), next_hour(now)
        if until is not None:
            end = next_hour(_moment("--to", until) + timedelta(days=1 if DATE.fullmatch(until) else 0))
    except OverflowError as error:
        raise click.UsageError("That is beyond the years that there are.") from error
    if start >= end:
        raise click.UsageError("--from must be before --to, and before now.")
    return start, end


def _last(text: str, now: datetime) -> Span:
    found = LAST.fullmatch(text)
    if found is None:
        raise click.UsageError(
            f'--last must be a number of hours or days, 1 to 9999, such as 24h or 7d, and is "{text}".'
        )
    count = int(found[1]) - 1
    if found[2] == "h":
        return hour_of(now) - timedelta(hours=count), next_hour(now)
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=count), next_hour(now)


def _moment(option: str, text: str) -> datetime:
    try:
        return parse_moment(text)
    except ValueError as error:
        raise click.UsageError(f"{option} {error}.") from error
