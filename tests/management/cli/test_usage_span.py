"""The span of time: whole hours of UTC."""

from datetime import UTC, datetime

import click
import pytest

from gateway.management.cli.usage_span import span_of

NOW = datetime(2026, 11, 23, 5, 39, 14, tzinfo=UTC)


def utc(month: int, day: int, hour: int = 0, year: int = 2026) -> datetime:
    """A full hour."""
    return datetime(year, month, day, hour, tzinfo=UTC)


CASES = {
    "a day by default": ((None, None, None), utc(11, 22, 6), utc(11, 23, 6)),
    "the hour now": (("1h", None, None), utc(11, 23, 5), utc(11, 23, 6)),
    "today": (("1d", None, None), utc(11, 23), utc(11, 23, 6)),
    "today and six days": (("7d", None, None), utc(11, 17), utc(11, 23, 6)),
    "across a month": (("30d", None, None), utc(10, 25), utc(11, 23, 6)),
    "from a date to now": ((None, "2026-11-20", None), utc(11, 20), utc(11, 23, 6)),
    "one date": ((None, "2026-11-20", "2026-11-20"), utc(11, 20), utc(11, 21)),
    "a month": ((None, "2026-10-01", "2026-10-31"), utc(10, 1), utc(11, 1)),
    "times": ((None, "2026-11-20T10:00:00Z", "2026-11-20T12:00:00Z"), utc(11, 20, 10), utc(11, 20, 12)),
    "within hours": ((None, "2026-11-20T10:59:59Z", "2026-11-20T12:00:01Z"), utc(11, 20, 10), utc(11, 20, 13)),
    "elsewhere": ((None, "2026-11-20T10:00:00+05:30", "2026-11-20T12:00:00+05:30"), utc(11, 20, 4), utc(11, 20, 7)),
    "the last hour of the year": (
        (None, "2026-12-31T23:00:00Z", "2026-12-31"),
        utc(12, 31, 23),
        utc(1, 1, year=2027),
    ),
}


@pytest.mark.parametrize(("given", "start", "end"), CASES.values(), ids=CASES.keys())
def test_spans(given: tuple[str | None, str | None, str | None], start: datetime, end: datetime) -> None:
    """The hour now counts as one of the last; a date alone is among those that count."""
    assert span_of(*given, NOW) == (start, end)


WRONG = {
    "two ways at once": (("24h", "2026-11-20", None), "--last goes without --from and --to."),
    "an end alone": ((None, None, "2026-11-20"), "--to needs --from."),
    "no unit": (
        ("24", None, None),
        '--last must be a number of hours or days, 1 to 9999, such as 24h or 7d, and is "24".',
    ),
    "no hours": (("0h", None, None), "--last must be a number of hours or days"),
    "nothing": (("0d", None, None), "--last must be a number of hours or days"),
    "another unit": (("2w", None, None), "--last must be a number of hours or days"),
    "no date": ((None, "yesterday", None), "--from must be a date such as 2026-01-31 or 2026-01-31T08:00:00Z."),
    "a date that is none": ((None, "2026-11-01", "2026-11-31"), "--to is not a date that exists"),
    "backwards": ((None, "2026-11-20", "2026-11-19"), "--from must be before --to, and before now."),
    "to come": ((None, "2026-11-24", None), "--from must be before --to, and before now."),
    "the end of time": ((None, "2026-11-20", "9999-12-31"), "That is beyond the years that there are."),
}


@pytest.mark.parametrize(("given", "problem"), WRONG.values(), ids=WRONG.keys())
def test_what_is_no_span(given: tuple[str | None, str | None, str | None], problem: str) -> None:
    """Each is said in a sentence."""
    with pytest.raises(click.UsageError) as refused:
        span_of(*given, NOW)
    assert refused.value.message.startswith(problem)
