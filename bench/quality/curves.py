"""How many pairs are served at a threshold, with and without the guard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.quality.pairs import Judged

THRESHOLDS = tuple(step / 100 for step in range(1, 41))
# What the recommended threshold must keep: of the pairs that mean something different, so many are served at most;
# and of those that mean the same and that the guard agrees to, so many are near enough at least.
MOST_DIFFERENT = 0.01
LEAST_OF_SAME = 0.95


@dataclass(frozen=True, slots=True)
class Share:
    """Served pairs of all pairs."""

    served: int
    of: int

    @property
    def value(self) -> float:
        """From 0 to 1; 0 of none is 0."""
        return self.served / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True)
class Point:
    """What is served at one threshold."""

    threshold: float
    same: Share
    different: Share
    # Without the guard.
    same_unguarded: Share
    different_unguarded: Share


def share(pairs: Sequence[Judged], threshold: float, *, guarded: bool = True) -> Share:
    """Of these pairs, those that would be served."""
    served = sum(each.pair.distance <= threshold and (each.reason is None or not guarded) for each in pairs)
    return Share(served, len(pairs))


def curve(pairs: Sequence[Judged], thresholds: Sequence[float] = THRESHOLDS) -> list[Point]:
    """A point for each threshold."""
    same = [each for each in pairs if each.pair.is_same]
    different = [each for each in pairs if not each.pair.is_same]
    return [
        Point(
            threshold,
            share(same, threshold),
            share(different, threshold),
            share(same, threshold, guarded=False),
            share(different, threshold, guarded=False),
        )
        for threshold in thresholds
    ]


def recommended(points: Sequence[Point]) -> Point:
    """The narrowest threshold that loses next to nothing of what the guard agrees to. ValueError if there is none."""
    most = points[-1].same.served
    for point in points:
        if point.same.served >= LEAST_OF_SAME * most and point.different.value <= MOST_DIFFERENT:
            return point
    raise ValueError("at no threshold are few enough of the different pairs served")


def by_kind(pairs: Sequence[Judged], threshold: float) -> dict[tuple[str, str], tuple[Share, Share]]:
    """For each label and kind, what is served with the guard and without it."""
    kinds = dict.fromkeys((("same" if each.pair.is_same else "different"), each.pair.kind) for each in pairs)
    found = {}
    for label, kind in sorted(kinds, key=lambda key: (key[0] != "same", key[1])):
        those = [each for each in pairs if each.pair.kind == kind and each.pair.is_same == (label == "same")]
        found[label, kind] = (share(those, threshold), share(those, threshold, guarded=False))
    return found
