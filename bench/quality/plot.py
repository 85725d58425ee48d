"""The curves as a picture. Imports matplotlib, which nothing else needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.quality.curves import Point, recommended

# Text stays text, and the same figures make the same file.
STYLE: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "cache quality", "font.size": 9}


def draw(points: Sequence[Point], path: Path) -> None:
    """Four lines over the threshold: what is served of both labels, with and without the guard."""
    lines = (
        ("same, with the guard", "C0", "-", [point.same for point in points]),
        ("same, by distance alone", "C0", ":", [point.same_unguarded for point in points]),
        ("different, with the guard", "C3", "-", [point.different for point in points]),
        ("different, by distance alone", "C3", ":", [point.different_unguarded for point in points]),
    )
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axis = figure.subplots()
        for label, colour, style, shares in lines:
            percents = [100 * share.value for share in shares]
            axis.plot([point.threshold for point in points], percents, style, color=colour, label=label)
        axis.axvline(recommended(points).threshold, color="grey", linestyle="--", label="recommended")
        axis.set(xlabel="scoreThreshold (cosine distance)", ylabel="served, %", ylim=(0, 100))
        axis.grid(visible=True, alpha=0.3)
        axis.legend(fontsize="small")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
