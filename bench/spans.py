"""How full the spans of a window's length were: exactly, over a whole log of admissions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple


class Admission(NamedTuple):
    """So much was let through at this moment, in seconds."""

    moment: float
    amount: int


class Span(NamedTuple):
    """What was admitted from `begin` on, for a window's length."""

    begin: float
    amount: int


def fullest_span(admissions: Iterable[Admission], seconds: float) -> Span:
    """Of all spans of `seconds`, wherever they begin, the one with the most admitted in it.

    A span holds its first moment and not its last. Whatever is in a span that begins between two admissions is also in
    the one that begins at the later of them: only spans that begin at an admission are looked at, and all of those.
    """
    inside: deque[Admission] = deque()
    amount, fullest = 0, Span(0.0, 0)
    for admission in sorted(admissions):
        while inside and admission.moment - inside[0].moment >= seconds:
            amount -= inside.popleft().amount
        inside.append(admission)
        amount += admission.amount
        if amount > fullest.amount:
            fullest = Span(inside[0].moment, amount)
    return fullest


def mean_span(admissions: Iterable[Admission], seconds: float, begin: float, end: float) -> float:
    """What all spans of `seconds` between two moments hold on average, wherever they begin."""
    last = end - seconds
    # An admission is in the spans that begin in the `seconds` up to it.
    inside = sum(
        each.amount * max(0.0, min(each.moment, last) - max(each.moment - seconds, begin)) for each in admissions
    )
    return inside / (last - begin)
