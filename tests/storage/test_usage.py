"""The usage table, against Azurite."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.storage.tables import Put, Tables
from gateway.storage.usage import Figures, UsageKey, UsageRow, UsageStore, hour_of, next_hour, partition_of

HOUR = datetime(2026, 11, 23, 5, tzinfo=UTC)
KEY = UsageKey("team-a", "starter", "openai", "gpt-4o")


def row(name: str, key: UsageKey = KEY, hour: datetime = HOUR, **figures: int) -> UsageRow:
    """A row as an instance would write it."""
    return UsageRow(hour, key, Figures(**figures), name)


async def test_reading_adds_up_what_instances_wrote(tables: Tables) -> None:
    """One row a key and hour, with every figure."""
    store = UsageStore(tables)
    full = {name: number for number, name in enumerate(Figures.__slots__, start=1)}
    await store.write([row("a:1", **full), row("a:2", UsageKey(api="open"), calls=5)])
    await store.write([row("b:1", **full)])
    both, alone = await store.read(HOUR, HOUR + timedelta(hours=1))
    assert (both.hour, both.key) == (HOUR, KEY)
    assert both.figures == Figures(**{name: 2 * number for name, number in full.items()})
    assert (alone.key, alone.figures) == (UsageKey(api="open"), Figures(calls=5))


async def test_writing_again_doubles_nothing(tables: Tables) -> None:
    """A row takes the place of what it was."""
    store = UsageStore(tables)
    for calls in (1, 2, 2):
        await store.write([row("a:1", calls=calls)])
    (found,) = await store.read(HOUR, HOUR + timedelta(hours=1))
    assert found.figures.calls == 2


async def test_figures_beyond_32_bits(tables: Tables) -> None:
    """Tables' plain numbers end at 2,147,483,647, which is two dollars in billionths."""
    await UsageStore(tables).write([row("a:1", prompt=10**12, cost=10**18)])
    (found,) = await UsageStore(tables).read(HOUR, HOUR + timedelta(hours=1))
    assert (found.figures.prompt, found.figures.cost) == (10**12, 10**18)


async def test_a_range_of_hours(tables: Tables) -> None:
    """From the hour of the start up to but not that of the end, in the order of time, across days."""
    store = UsageStore(tables)
    for number in (24, 3, 0, 1, 2):
        await store.write([row("a:1", hour=HOUR + timedelta(hours=number), calls=number + 1)])
    found = await store.read(HOUR + timedelta(hours=1, minutes=59), HOUR + timedelta(hours=3))
    assert [each.figures.calls for each in found] == [2, 3]
    assert len(await store.read(HOUR, HOUR + timedelta(days=2))) == 5
    assert await store.read(HOUR, HOUR) == []


async def test_nothing_was_ever_written(tables: Tables) -> None:
    """The table need not exist."""
    assert await UsageStore(tables).read(HOUR, HOUR + timedelta(hours=1)) == []


async def test_more_rows_than_a_page_are_all_read(tables: Tables) -> None:
    """Each page is one storage operation."""
    store = UsageStore(tables)
    for instance in range(12):
        await store.write([row(f"{instance:02}:{number}", calls=1) for number in range(100)])
    before = tables.operations
    (found,) = await store.read(HOUR, HOUR + timedelta(hours=1))
    assert found.figures.calls == 1_200
    assert tables.operations - before == 2


async def test_rows_of_another_version_are_read_as_far_as_they_go(tables: Tables) -> None:
    """What is missing or makes no sense counts as 0."""
    entity = {"PartitionKey": partition_of(HOUR), "RowKey": "a:1", "calls": "7", "promptTokens": "-1", "cost": "x"}
    await tables.table("gatewayusage").put(Put(entity))
    (found,) = await UsageStore(tables).read(HOUR, HOUR + timedelta(hours=1))
    assert (found.key, found.figures) == (UsageKey(), Figures(calls=7))


IN_DELHI = timezone(timedelta(hours=5, minutes=30))
MOMENTS = {
    "the beginning": (HOUR, HOUR, HOUR),
    "within": (HOUR + timedelta(minutes=1), HOUR, HOUR + timedelta(hours=1)),
    "the end": (HOUR - timedelta(microseconds=1), HOUR - timedelta(hours=1), HOUR),
    "half an hour off UTC": (datetime(2026, 11, 23, 11, 0, tzinfo=IN_DELHI), HOUR, HOUR + timedelta(hours=1)),
    "on the hour in UTC": (datetime(2026, 11, 23, 10, 30, tzinfo=IN_DELHI), HOUR, HOUR),
}


@pytest.mark.parametrize(("moment", "hour", "following"), MOMENTS.values(), ids=MOMENTS.keys())
def test_hours_are_utc(moment: datetime, hour: datetime, following: datetime) -> None:
    """Wherever the moment was written down."""
    assert (hour_of(moment), next_hour(moment)) == (hour, following)
