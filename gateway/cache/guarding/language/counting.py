"""Number words as figures: `two hundred`, `the second`, `twice`."""

from __future__ import annotations

from dataclasses import replace

from gateway.cache.guarding.language.function_words import EMPTY, SPANS
from gateway.cache.guarding.language.lists import these
from gateway.cache.guarding.language.numbers import CARDINALS, ORDINALS, SCALES, SMALL, TENS, TIMES, counted
from gateway.cache.guarding.language.splitting import Token

# What is numbered by what follows: `year one`.
NUMBERED = SPANS | these("chapter step part level phase stage page line section version number room grade")
# A pronoun after these: `which one`.
BEFORE_PRONOUN = these("the this that which each every no any")
ARTICLES = these("a the one")
BEFORE_ORDINAL = these("the every my our")
NUMBER_WORDS = frozenset(CARDINALS) | frozenset(ORDINALS) | frozenset(TIMES)


def with_figures(tokens: list[Token]) -> list[Token]:
    """Kind `one` for `one` as a word, which is often an article."""
    words = [token.text for token in tokens]
    if NUMBER_WORDS.isdisjoint(words):
        return tokens
    kept: list[Token] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        value, used = _number_at(tokens, words, position)
        if used:
            kind = "one" if token.text == "one" and used == 1 else "number"
            token = replace(token, text=f"{value:.12g}", kind=kind)
        kept.append(token)
        position += used or 1
    return kept


def _number_at(tokens: list[Token], words: list[str], position: int) -> tuple[float, int]:
    """Its value, and how many words it takes: none where there is no number."""
    word = words[position]
    before = words[position - 1] if position else ""
    if word == "one" and not _counts(tokens, words, position):
        return 0, 0
    if word in SMALL or word in TENS or (word in SCALES and before in ARTICLES):
        return counted(words[position:])
    if word == "second" and before not in BEFORE_ORDINAL:
        return 0, 0
    value = ORDINALS.get(word) or TIMES.get(word)
    return (value, 1) if value else (0, 0)


def _counts(tokens: list[Token], words: list[str], position: int) -> bool:
    """`in one sentence` and `year one`, but not `which one`."""
    before = words[position - 1] if position else ""
    if before in NUMBERED:
        return True
    if position + 1 >= len(words) or tokens[position + 1].after:
        return False
    return before not in BEFORE_PRONOUN and words[position + 1] not in EMPTY
