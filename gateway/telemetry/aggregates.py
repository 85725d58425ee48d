"""Sums and distributions of one interval, kept in plain dictionaries.

OpenTelemetry's own instruments take 6 to 8 µs for one value, and a call records up to nine; these take a twentieth of
that. What they hold is handed to the SDK's exporters once in an interval (`points.py`).
"""

from __future__ import annotations

import time
from bisect import bisect_left
from dataclasses import dataclass

Attributes = tuple[tuple[str, str | bool], ...]

# Names of models and values of headers come from callers, so there must be an end to them.
MAXIMUM_ATTRIBUTE_SETS = 1_000
# OpenTelemetry's name for what did not fit.
OVERFLOW: Attributes = (("otel.metric.overflow", True),)


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """A counter, or with `boundaries` a histogram. `meter` is its instrumentation scope, Azure Monitor's namespace."""

    meter: str
    name: str
    unit: str
    description: str
    boundaries: tuple[float, ...] = ()


class Total:
    """What a counter has counted with one set of attributes."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def take(self, value: float) -> None:
        """Count one more."""
        self.value += value

    def add(self, other: Total) -> None:
        """Count what another has counted."""
        self.value += other.value


class Distribution:
    """What a histogram has seen with one set of attributes. A value on a boundary belongs to the bucket below it."""

    __slots__ = ("boundaries", "buckets", "count", "least", "most", "sum")

    def __init__(self, boundaries: tuple[float, ...]) -> None:
        self.boundaries = boundaries
        self.buckets = [0] * (len(boundaries) + 1)
        self.count = 0
        self.sum: float = 0
        self.least = float("inf")
        self.most = float("-inf")

    def take(self, value: float) -> None:
        """See one more value."""
        self.count += 1
        self.sum += value
        if value < self.least:
            self.least = value
        if value > self.most:
            self.most = value
        self.buckets[bisect_left(self.boundaries, value)] += 1

    def add(self, other: Distribution) -> None:
        """See all that another has seen. Both have the same boundaries."""
        self.count += other.count
        self.sum += other.sum
        self.least = min(self.least, other.least)
        self.most = max(self.most, other.most)
        self.buckets = [mine + theirs for mine, theirs in zip(self.buckets, other.buckets, strict=True)]


Point = Total | Distribution


class Aggregates:
    """All that was recorded since `started` (nanoseconds of the epoch). Not for several threads at once."""

    def __init__(self, started: int | None = None) -> None:
        self.started = time.time_ns() if started is None else started
        self.points: dict[Instrument, dict[Attributes, Point]] = {}

    def record(self, instrument: Instrument, attributes: Attributes, value: float) -> None:
        """Count or see one value."""
        self.point(instrument, attributes).take(value)

    def point(self, instrument: Instrument, attributes: Attributes) -> Point:
        """Where values with these attributes belong, for as long as nothing else has taken the interval over."""
        try:
            return self.points[instrument][attributes]
        except KeyError:
            return self._begin(instrument, attributes)

    def add(self, other: Aggregates) -> None:
        """Take in a later interval."""
        for instrument, points in other.points.items():
            for attributes, point in points.items():
                mine = self.points.get(instrument, {}).get(attributes) or self._begin(instrument, attributes)
                mine.add(point)  # type: ignore[arg-type]  # one instrument has one kind of point

    def _begin(self, instrument: Instrument, attributes: Attributes) -> Point:
        points = self.points.setdefault(instrument, {})
        if len(points) >= MAXIMUM_ATTRIBUTE_SETS:
            attributes = OVERFLOW
        point = points.get(attributes)
        if point is None:
            point = points[attributes] = Distribution(instrument.boundaries) if instrument.boundaries else Total()
        return point
