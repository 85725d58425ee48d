"""What one prompt says and the other does not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from gateway.cache.guarding.fingerprint import Kind, Term

# Of words that only say more of the circumstances, so many may be missing; and if some are missing on both sides, so
# many others must be there.
MOST_CIRCUMSTANCES = 2
LEAST_MATCHED = 3
# A word put in changes what the next one stands after; one put in the place of another is changed itself, too.
INSERTED, EXCHANGED = 1, 2


def missing(cached: Sequence[Term], asked: Sequence[Term]) -> Term | None:
    """A term of one prompt that the other has not, not even by a synonym or with a typo."""
    left, right = _unmatched(cached, asked), _unmatched(asked, cached)
    left, right = _without_compounds(left, right, cached, asked)
    left, right = _without_typos(left, asked), _without_typos(right, cached)
    if _may_be_wording(left, right, _matched(cached, asked, left, right)) and _is_reworded(cached, asked):
        return None
    return next(iter(sorted(left + right, key=lambda term: term.kind, reverse=True)), None)


def _may_be_wording(left: Sequence[Term], right: Sequence[Term], matched: int) -> bool:
    """Only one of two prompts says where, by whom, or on what sort of thing.

    That is nothing put in the place of another, or all the rest is so much that it says what is asked.
    """
    if not matched:
        return False
    if left and right and (matched < LEAST_MATCHED or any(term.kind is not Kind.WORD for term in (*left, *right))):
        return False
    return max(len(left), len(right)) <= MOST_CIRCUMSTANCES and all(term.is_circumstance for term in (*left, *right))


def _is_reworded(cached: Sequence[Term], asked: Sequence[Term]) -> bool:
    """Not word for word the same but in one place: there, what differs was changed on purpose."""
    one, other = _wording(cached), _wording(asked)
    shorter = min(len(one), len(other))
    head = next((place for place in range(shorter) if one[place] != other[place]), shorter)
    rest = shorter - head
    tail = next((place for place in range(rest) if one[-1 - place] != other[-1 - place]), rest)
    return rest - tail > (EXCHANGED if len(one) == len(other) else INSERTED)


def _wording(terms: Sequence[Term]) -> list[tuple[int, int]]:
    return [(term.meanings[0], term.before) for term in terms]


def must_match(term: Term) -> bool:
    """Whether the other prompt has to have it, too."""
    return not term.is_optional and term.kind in (Kind.WORD, Kind.UNIT, Kind.TIME, Kind.NUMBER)


def _unmatched(terms: Sequence[Term], others: Sequence[Term]) -> list[Term]:
    known = {meaning for term in others if term.kind is not Kind.NEGATION for meaning in term.meanings}
    return [term for term in terms if must_match(term) and known.isdisjoint(term.meanings)]


def _matched(cached: Sequence[Term], asked: Sequence[Term], left: Sequence[Term], right: Sequence[Term]) -> int:
    return min(sum(map(must_match, cached)) - len(left), sum(map(must_match, asked)) - len(right))


def _without_typos(terms: Sequence[Term], others: Sequence[Term]) -> list[Term]:
    return [term for term in terms if not any(_is_slip(term, other) for other in others)]


def _without_compounds(
    left: list[Term], right: list[Term], cached: Sequence[Term], asked: Sequence[Term]
) -> tuple[list[Term], list[Term]]:
    """`timesheet` is `time sheet`: neither is missing then."""
    for one, other, terms in ((left, right, asked), (right, left, cached)):
        for term in list(one):
            for first, second in pairwise(terms):
                if first.compound and first.compound == term.meanings[0]:
                    one[:] = [each for each in one if each is not term]
                    other[:] = [each for each in other if each is not first and each is not second]
    return left, right


def _is_slip(one: Term, other: Term) -> bool:
    if not one.slips or not other.slips or (one.is_known and other.is_known):
        return False
    if one.slips[0] in other.slips or other.slips[0] in one.slips:
        return True
    return one.letters == other.letters and not set(one.slips).isdisjoint(other.slips)
