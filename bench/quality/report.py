"""The figures as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from bench.quality.curves import Point, Share, by_kind, curve, recommended
from bench.quality.pairs import MODEL, Judged
from bench.tables import table

SHOWN = (0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40)


def render(pairs: Sequence[Judged], own: Sequence[Judged]) -> str:
    """The curves, the recommended threshold, and what it serves by kind; then the pairs without vectors."""
    points = curve(pairs)
    best = recommended(points)
    sections = [
        f"{len(pairs)} pairs, distances by {MODEL}. Recommended `scoreThreshold`: **{best.threshold:.2f}**, where "
        f"{_percent(best.same)} of the pairs that mean the same are served, and {_percent(best.different)} of those "
        "that do not.",
        _curve_table([point for point in points if point.threshold in {*SHOWN, best.threshold}]),
        f"By kind, at {best.threshold:.2f}:",
        _kind_table(pairs, best.threshold),
        f"{len(own)} more pairs, without vectors: what the guard alone lets through.",
        _kind_table(own, best.threshold, with_unguarded=False),
    ]
    return "\n\n".join(sections) + "\n"


def _percent(share: Share) -> str:
    return f"{share.value:.1%}"


def _curve_table(points: Sequence[Point]) -> str:
    header = ("threshold", "same served", "different served", "same, no guard", "different, no guard")
    rows = [
        (
            f"{point.threshold:.2f}",
            *map(_percent, (point.same, point.different, point.same_unguarded, point.different_unguarded)),
        )
        for point in points
    ]
    return table(header, rows)


def _kind_table(pairs: Sequence[Judged], threshold: float, *, with_unguarded: bool = True) -> str:
    rows = [
        (f"{label}: {kind}", f"{guarded.of}", f"{guarded.served}", f"{unguarded.served}")
        for (label, kind), (guarded, unguarded) in by_kind(pairs, threshold).items()
    ]
    width = 4 if with_unguarded else 3
    return table(("kind", "pairs", "served", "no guard")[:width], [row[:width] for row in rows])
