"""The usage table: a partition for each hour, and in it rows that only the instance writes that counted them.

A row is written whole, with all that its instance has counted in the hour so far. So nobody has to read before writing,
and a write that is repeated because its answer was lost changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from gateway.storage.tables import Put, Tables

# Of a moment in RFC 3339, as much as tells the hour.
HOUR_CHARACTERS = 13


class UsageKey(NamedTuple):
    """What is counted apart. Empty is: none, such as a call without a subscription."""

    subscription: str = ""
    product: str = ""
    api: str = ""
    model: str = ""


@dataclass(slots=True)
class Figures:
    """What calls came to. `cached` tokens are among the prompt's, `reasoning` among the completion's.

    `cost` is in billionths of a US dollar; `unpriced` calls used tokens that have no price, so it leaves them out.
    `refusals` are calls too, those that a limit refused; `cache_hits` those that needed no backend.
    """

    calls: int = 0
    refusals: int = 0
    cache_hits: int = 0
    unpriced: int = 0
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0
    cost: int = 0

    @property
    def total(self) -> int:
        """All tokens."""
        return self.prompt + self.completion

    def add(self, other: Figures) -> None:
        """Count another's too."""
        for name in COLUMNS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


# Columns by the names of their figures.
COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "calls": "calls",
        "refusals": "refusals",
        "cache_hits": "cacheHits",
        "unpriced": "unpricedCalls",
        "prompt": "promptTokens",
        "cached": "cachedTokens",
        "completion": "completionTokens",
        "reasoning": "reasoningTokens",
        "cost": "cost",
    }
)


@dataclass(slots=True, eq=False)
class UsageRow:
    """One key's figures in one hour (UTC). `name` is its place in the hour's partition; empty if it has none."""

    hour: datetime
    key: UsageKey
    figures: Figures = field(default_factory=Figures)
    name: str = ""


class UsageStore:
    """Writes what one instance counted, and reads what all did."""

    def __init__(self, tables: Tables) -> None:
        self._table = tables.table("gatewayusage")

    async def write(self, rows: Sequence[UsageRow]) -> None:
        """Put rows of one hour in place of what they were: at most 100, all or none. Raises StorageUnavailable."""
        await self._table.transact([Put(_to_entity(row)) for row in rows])

    async def read(self, start: datetime, end: datetime) -> list[UsageRow]:
        """The hours from that of `start` up to but not that of `end`, all instances added up, in the order of time."""
        found: dict[tuple[str, UsageKey], UsageRow] = {}
        async for page in self._table.pages(partition_of(start), partition_of(end)):
            for values in (row.values for row in page):
                place = (str(values["PartitionKey"]), _key(values))
                row = found.get(place)
                if row is None:
                    row = found[place] = UsageRow(_hour(place[0]), place[1])
                row.figures.add(_figures(values))
        return list(found.values())


def hour_of(moment: datetime) -> datetime:
    """The beginning of a moment's hour, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def next_hour(moment: datetime) -> datetime:
    """The first beginning of an hour that is not before a moment."""
    hour = hour_of(moment)
    return hour if hour == moment else hour + timedelta(hours=1)


def partition_of(moment: datetime) -> str:
    """`2026-11-23T05`."""
    return moment.astimezone(UTC).isoformat()[:HOUR_CHARACTERS]


def _hour(partition: str) -> datetime:
    return datetime.fromisoformat(partition).replace(tzinfo=UTC)


def _to_entity(row: UsageRow) -> dict[str, Any]:
    # As text: a number beyond 32 bits is one that a table's plain numbers cannot hold.
    figures = {column: str(getattr(row.figures, name)) for name, column in COLUMNS.items()}
    names = {name: text for name, text in row.key._asdict().items() if text}
    return {"PartitionKey": partition_of(row.hour), "RowKey": row.name, **names, **figures}


def _key(values: Mapping[str, Any]) -> UsageKey:
    return UsageKey(*(str(values.get(name, "")) for name in UsageKey._fields))


def _figures(values: Mapping[str, Any]) -> Figures:
    return Figures(**{name: _number(values.get(column)) for name, column in COLUMNS.items()})


def _number(text: Any) -> int:
    # Rows of another version may lack a column.
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else 0
