"""How full spans are, beside the slow way of counting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.spans import Admission, Span, fullest_span, mean_span

ADMISSIONS = st.lists(st.builds(Admission, st.integers(0, 400).map(lambda tenths: tenths / 8), st.integers(1, 9)))


def in_span(admissions: list[Admission], begin: float, seconds: float) -> int:
    """The sum of what lies in one span."""
    return sum(each.amount for each in admissions if begin <= each.moment < begin + seconds)


@given(ADMISSIONS)
def test_the_fullest_span_is_the_fullest_of_all(admissions: list[Admission]) -> None:
    """However admissions lie, no span that begins at any eighth of a second holds more."""
    slowly = max(in_span(admissions, eighth / 8, 10.0) for eighth in range(-80, 401))
    assert fullest_span(admissions, 10.0).amount == slowly


@given(ADMISSIONS)
def test_the_mean_span_is_the_mean_of_all(admissions: list[Admission]) -> None:
    """Admissions lie at eighths, so the spans that begin in the middle between two stand for all between them."""
    begins = [(2 * eighth + 1) / 16 for eighth in range(8 * 40)]
    slowly = sum(in_span(admissions, begin, 10.0) for begin in begins) / len(begins)
    assert mean_span(admissions, 10.0, 0.0, 50.0) == pytest.approx(slowly)


def test_a_span_ends_before_its_end() -> None:
    """Two admissions exactly a window apart are never in one span; a moment closer they are."""
    assert fullest_span([Admission(5.0, 70), Admission(65.0, 60)], 60.0) == Span(5.0, 70)
    assert fullest_span([Admission(5.0, 70), Admission(64.999, 60)], 60.0) == Span(5.0, 130)


def test_nothing_was_admitted() -> None:
    """Then the fullest span is empty."""
    assert fullest_span([], 60.0).amount == 0
