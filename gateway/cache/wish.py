"""What a caller says about the cache, in headers: only what makes it stricter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.call import Header
from gateway.errors import CallerError

MAX_DISTANCE = b"x-cache-max-distance"


@dataclass(frozen=True, slots=True)
class Wish:
    """`looks_up`: a kept answer will do. `keeps`: this one may be kept. A `max_distance` of 0 is the same text."""

    looks_up: bool = True
    keeps: bool = True
    max_distance: float | None = None

    def threshold(self, score_threshold: float) -> float:
        """The operator's threshold, or the caller's if that is stricter."""
        return score_threshold if self.max_distance is None else min(score_threshold, self.max_distance)


ANYTHING = Wish()


def wish_of(headers: Sequence[Header]) -> Wish:
    """Of `Cache-Control` (RFC 9111, section 5.2.1) and `x-cache-max-distance`; raise CallerError."""
    looks_up = keeps = True
    max_distance = None
    for name, value in headers:
        if name == b"cache-control":
            directives = {part.strip().lower() for part in value.split(b",")}
            # An answer that may not be kept is not to be had from those that were.
            looks_up = looks_up and not directives & {b"no-cache", b"no-store"}
            keeps = keeps and b"no-store" not in directives
        elif name == MAX_DISTANCE:
            max_distance = _distance(value)
    if looks_up and max_distance is None:
        return ANYTHING
    return Wish(looks_up, keeps, max_distance)


def _distance(value: bytes) -> float:
    try:
        distance = float(value)
    except ValueError:
        distance = math.nan
    if not 0 <= distance <= 2:
        raise CallerError("InvalidHeader", "x-cache-max-distance must be a number from 0 to 2, such as 0.05.")
    return distance
