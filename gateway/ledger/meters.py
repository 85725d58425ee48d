"""What is counted: a unit in a window. Windows say which slot a moment belongs to, and how long a slot counts.

Amounts are whole numbers: tokens, calls, or billionths of a US dollar. Moments are seconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import ClassVar, Literal, Protocol, cast, get_args

Unit = Literal["tokens", "calls", "usd"]
Period = Literal["Hourly", "Daily", "Weekly", "Monthly", "Yearly"]

Slots = Mapping[int, int]

# A sliding window is cut into so many slots. What is spent in a slot counts until the whole slot is out of the window,
# so a window is used by up to 60/61 under constant demand.
SLOTS_IN_WINDOW = 60
# Shorter slots would be over before a lease for them is back from storage.
SHORTEST_SLOT_SECONDS = 0.25

HOUR = 3_600
DAY = 24 * HOUR


class Window(Protocol):
    """A span of time to which a limit applies."""

    @property
    def name(self) -> str:
        """As it stands in records: `60s`, `Monthly`."""

    def slot(self, moment: float) -> int:
        """The slot that a moment belongs to."""

    def end(self, slot: int) -> float:
        """When a slot is over: nothing may be spent from it any more."""

    def counts_until(self, slot: int) -> float:
        """When a slot stops counting against the limit."""

    def used(self, slots: Slots, moment: float) -> int:
        """What counts against the limit at a moment."""

    def frees(self, slots: Slots, moment: float, surplus: int) -> float:
        """When at least `surplus` of what counts now will have stopped counting."""


@dataclass(frozen=True, slots=True)
class Sliding:
    """Any span of `seconds`, wherever it begins."""

    seconds: int

    @property
    def name(self) -> str:
        return f"{self.seconds}s"

    @property
    def slot_seconds(self) -> float:
        """How long a slot is."""
        return max(self.seconds / SLOTS_IN_WINDOW, SHORTEST_SLOT_SECONDS)

    def slot(self, moment: float) -> int:
        return int(moment // self.slot_seconds)

    def end(self, slot: int) -> float:
        return (slot + 1) * self.slot_seconds

    def counts_until(self, slot: int) -> float:
        return self.end(slot) + self.seconds

    def used(self, slots: Slots, moment: float) -> int:
        # `counts_until(slot) > moment`, solved for the slot: this is on every call's path.
        last_past = (moment - self.seconds) / self.slot_seconds - 1
        return sum([amount for slot, amount in slots.items() if slot > last_past])

    def frees(self, slots: Slots, moment: float, surplus: int) -> float:
        for slot in sorted(slots):
            freed = self.counts_until(slot)
            if freed > moment:
                surplus -= slots[slot]
                moment = freed
            if surplus <= 0:
                break
        return moment


@dataclass(frozen=True, slots=True)
class Calendar:
    """An hour, day, week (from Monday), month or year of the calendar, in UTC."""

    period: Period

    @property
    def name(self) -> str:
        return self.period

    def slot(self, moment: float) -> int:
        return _period_number(self.period, int(moment // HOUR))

    def end(self, slot: int) -> float:
        return _period_start(self.period, slot + 1)

    def counts_until(self, slot: int) -> float:
        return self.end(slot)

    def used(self, slots: Slots, moment: float) -> int:
        return slots.get(self.slot(moment), 0)

    def frees(self, slots: Slots, moment: float, surplus: int) -> float:
        return self.end(self.slot(moment))


@lru_cache(maxsize=1_024)
def _period_number(period: Period, hour: int) -> int:
    """Numbers the periods: hours, days and weeks since 1970, months and years since the year 0."""
    match period:
        case "Hourly":
            return hour
        case "Daily":
            return hour // 24
        case "Weekly":
            # 1 January 1970 was a Thursday.
            return (hour // 24 + 3) // 7
    date = datetime.fromtimestamp(hour * HOUR, UTC)
    return date.year * 12 + date.month - 1 if period == "Monthly" else date.year


@lru_cache(maxsize=1_024)
def _period_start(period: Period, number: int) -> float:
    match period:
        case "Hourly":
            return number * HOUR
        case "Daily":
            return number * DAY
        case "Weekly":
            return (number * 7 - 3) * DAY
        case "Monthly":
            return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp()
    return datetime(number, 1, 1, tzinfo=UTC).timestamp()


class Meter:
    """A unit counted in a window. Limits of one counter key on the same meter share its count.

    `name` is how it stands in records: `tokens/60s`, `usd/Monthly`. There is one object for each name, compared by
    identity: meters are looked up several times at every call.
    """

    __slots__ = ("name", "unit", "window")

    _made: ClassVar[dict[str, Meter]] = {}

    name: str
    unit: Unit
    window: Sliding | Calendar

    def __new__(cls, unit: Unit, window: Sliding | Calendar) -> Meter:
        name = f"{unit}/{window.name}"
        meter = cls._made.get(name)
        if meter is None:
            meter = cls._made[name] = super().__new__(cls)
            meter.name, meter.unit, meter.window = name, unit, window
        return meter

    def __repr__(self) -> str:
        return f"Meter({self.name})"


@dataclass(slots=True, eq=False)
class Charge:
    """What one call wants of one counter: an amount of a meter, within a limit.

    `deny` says that the call is refused, and not let through, while the counter cannot be reached.
    """

    key: str
    meter: Meter
    limit: int
    amount: int
    deny: bool = False


def meter_named(name: str) -> Meter:
    """The meter of a name in a record; raise ValueError if there can be none."""
    unit, _, window = name.partition("/")
    if unit in get_args(Unit) and window in get_args(Period):
        return Meter(cast(Unit, unit), Calendar(cast(Period, window)))
    if unit in get_args(Unit) and window.endswith("s") and window[:-1].isdigit():
        return Meter(cast(Unit, unit), Sliding(int(window[:-1])))
    raise ValueError(f"{name} is no meter")
