"""Slips of the finger: two letters exchanged, one left out, one too many.

A word that differs so from another may be a typo of it, unless both are words: `contact` is none of `contract`.
"""

from __future__ import annotations

from functools import cache

from gateway.cache.guarding.language.function_words import ASKING, COMMANDS, EMPTY, NEGATIONS, TIME_WORDS
from gateway.cache.guarding.language.lists import replacements, words
from gateway.cache.guarding.language.numbers import CARDINALS, ORDINALS, units
from gateway.cache.guarding.language.stems import stem

SHORTEST = 5
# Of four letters only an exchange is told from another word.
SHORTEST_EXCHANGED = 4


def is_word(word: str) -> bool:
    """True where a word, or what it is a form of, is known, so that it is no typo of another known one."""
    return word in _known() or (stem(word) != word and (stem(word) in _known() or stem(word) + "e" in _known()))


@cache
def _known() -> frozenset[str]:
    tables = (EMPTY, ASKING, COMMANDS, NEGATIONS, TIME_WORDS, CARDINALS, ORDINALS, units())
    return frozenset().union(*tables, *map(words, ("synonyms", "circumstances", "neighbours")))


def respelled(word: str) -> str:
    """Without a frequent misspelling; `don't` for `dont`."""
    return replacements("misspellings").get(word, word)


def corrected(word: str) -> str:
    """The word meant, if this is a slip in a number, or in one of the words that the guard passes over."""
    return word if is_word(word) else _slips().get(word, word)


@cache
def _slips() -> dict[str, str]:
    slips: dict[str, str] = {}
    for word in sorted(EMPTY | ASKING | COMMANDS | CARDINALS.keys() | ORDINALS.keys()):
        if len(word) >= SHORTEST - 1:
            slips |= dict.fromkeys(_exchanged(word), word)
        if len(word) >= SHORTEST:
            slips |= dict.fromkeys(shortened(word), word)
    return slips


def _exchanged(word: str) -> list[str]:
    return [word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)]


def shortened(word: str) -> list[str]:
    """The word without one of its letters, each but the first: hardly anybody misses the first, and it tells much."""
    return [word[:i] + word[i + 1 :] for i in range(1, len(word))]
