"""The guard keeps what docs/cache-quality.md promises, and the bench that says so notices when it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.cache_quality import BEGIN, DOCUMENT
from bench.documents import with_results
from bench.quality.curves import Share, by_kind, curve, recommended, share
from bench.quality.pairs import Judged, Pair, judged, own_pairs, pairs_with_vectors
from bench.quality.plot import draw
from bench.quality.report import render
from local.processes import REPOSITORY


@pytest.fixture(scope="module")
def pairs() -> list[Judged]:
    """The 300 pairs with vectors."""
    return judged(pairs_with_vectors())


@pytest.fixture(scope="module")
def own() -> list[Judged]:
    """The pairs without."""
    return judged(own_pairs())


def test_few_wrong_answers_are_served(pairs: list[Judged]) -> None:
    """At the recommended threshold at most 2 of 100 different pairs, and at least 50 of 100 same ones."""
    best = recommended(curve(pairs))
    assert best.threshold == 0.25
    assert best.different.value <= 0.02
    assert best.same.value >= 0.5
    assert best.different_unguarded.value > 0.5


def test_the_guard_alone(own: list[Judged]) -> None:
    """Whatever the distance."""
    point = curve(own)[0]
    assert point.different.value <= 0.02
    assert point.same.value >= 0.6


def test_no_kind_is_let_through(pairs: list[Judged], own: list[Judged]) -> None:
    """Of each kind of difference at most 1 in 10 is missed."""
    for (label, _), (guarded, _) in by_kind([*pairs, *own], 2.0).items():
        assert label == "same" or guarded.value <= 0.1


def test_a_guard_that_sleeps_would_be_seen(pairs: list[Judged]) -> None:
    """Without reasons to refuse there is no threshold to recommend."""
    with pytest.raises(ValueError, match="different"):
        recommended(curve([Judged(each.pair, None) for each in pairs]))


def test_shares() -> None:
    """Near enough, and not refused."""
    near = Pair("near", "a", "b", is_same=True, kind="typo", distance=0.1)
    far = Pair("far", "a", "b", is_same=True, kind="typo", distance=0.3)
    judgements = [Judged(near, None), Judged(near, "numbers differ"), Judged(far, None)]
    assert share(judgements, 0.2) == Share(1, 3)
    assert share(judgements, 0.2, guarded=False) == Share(2, 3)
    assert share([], 0.2).value == 0.0


def test_help() -> None:
    """--help names every option, with examples."""
    command = [sys.executable, "-m", "bench.cache_quality", "--help"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for option in ("--mistakes", "--write-docs", "examples:"):
        assert option in done.stdout


def test_what_is_written(pairs: list[Judged], own: list[Judged], tmp_path: Path) -> None:
    """The document holds what the code does today, and the plot all four lines."""
    report = render(pairs, own)
    document = DOCUMENT.read_text()
    assert with_results(document, report, BEGIN) == document
    draw(curve(pairs), tmp_path / "plots" / "curves.svg")
    assert (tmp_path / "plots" / "curves.svg").read_text().count("with the guard") == 2
