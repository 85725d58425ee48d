"""A prompt as the guard reads it: courtesies dropped, phrases and numbers in one form, every word with its part.

The steps are in `_english`, in their order. Nothing here fails, whatever the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from gateway.cache.guarding.fingerprint import Kind
from gateway.cache.guarding.language import numbers
from gateway.cache.guarding.language.contractions import NOT
from gateway.cache.guarding.language.counting import with_figures
from gateway.cache.guarding.language.courtesies import without_courtesies
from gateway.cache.guarding.language.function_words import (
    ASKING,
    COMMANDS,
    EMPTY,
    NEGATIONS,
    PERSONS,
    SPANS,
    TIME_WORDS,
    WHEN,
)
from gateway.cache.guarding.language.lists import these, words
from gateway.cache.guarding.language.others import ENGLISH, FILLERS, LANGUAGES, language_of
from gateway.cache.guarding.language.phrases import rephrased
from gateway.cache.guarding.language.spelling import corrected
from gateway.cache.guarding.language.splitting import NONE, SENTENCE, Token, plain, split
from gateway.cache.guarding.language.stems import stem

# Of longer prompts the rest is compared as a whole.
MOST_TOKENS = 500
BEFORE_MONTH = these("in of since until by from for last next this during late")


@dataclass(frozen=True, slots=True)
class Word:
    """A token with the part it plays. `kind` is None for words that say nothing by themselves."""

    token: Token
    kind: Kind | None
    is_optional: bool = False
    is_circumstance: bool = False
    # A number's value with its unit: `15 kg`.
    bound: str = ""

    @property
    def text(self) -> str:
        """In lower case, or in figures."""
        return self.token.text


@dataclass(frozen=True, slots=True)
class Reading:
    """The words of a prompt; and all its tokens as they were."""

    language: str
    words: list[Word]
    tokens: list[Token]
    # How many of the tokens were read: of a long prompt not all.
    length: int


def read(text: str) -> Reading:
    """A text as its words."""
    text = plain(text)
    for filler in FILLERS if not text.isascii() else ():
        text = text.replace(filler, " ")
    every = split(text)
    tokens = every[:MOST_TOKENS]
    language = language_of([token.text for token in tokens])
    found = _english(tokens) if language == ENGLISH else _foreign(tokens, language)
    return Reading(language, list(found), every, len(tokens))


def _english(tokens: list[Token]) -> Iterator[Word]:
    tokens = [_corrected(token) for token in tokens]
    tokens = without_courtesies(tokens)
    tokens = rephrased(tokens)
    tokens = with_figures(tokens)
    return _parts(tokens)


def _corrected(token: Token) -> Token:
    if token.kind != "word" or token.written.isupper():
        return token
    right = corrected(token.text)
    return token if right == token.text else replace(token, text=right)


@cache
def _asking() -> frozenset[str]:
    return frozenset(map(stem, ASKING))


@cache
def _circumstances() -> frozenset[str]:
    return frozenset(map(stem, words("circumstances")))


def _parts(tokens: list[Token]) -> Iterator[Word]:
    position = 0
    while position < len(tokens):
        token = tokens[position]
        behind = tokens[position + 1] if position + 1 < len(tokens) else None
        if token.kind in ("number", "one"):
            found, used = _number(token, behind)
            yield from found
            position += used
            continue
        before = tokens[position - 1] if position else None
        yield _part(token, before, behind)
        position += 1


def _number(token: Token, behind: Token | None) -> tuple[list[Word], int]:
    """A number and its unit, which may be part of it, or the next word."""
    digits, suffix, used = numbers.spelled(token.text), token.suffix, 1
    if suffix in numbers.SUFFIXES:
        digits, suffix = numbers.multiplied(digits.replace(",", ""), numbers.SUFFIXES[suffix]), ""
    elif suffix and suffix not in numbers.units():
        word = replace(token, text=token.text + suffix, kind="word")
        return [Word(word, Kind.WORD)], 1
    if not suffix and behind and not behind.after and behind.text in numbers.SCALES:
        digits, used = numbers.multiplied(digits, numbers.SCALES[behind.text]), 2
        behind = None
    unit = numbers.units().get(suffix or token.money, "")
    if token.money and digits.endswith(".00"):
        digits = digits.removesuffix(".00")
    if not unit and behind and not behind.after and used == 1:
        unit = _unit(behind)
        used += bool(unit)
    bound = f"{digits} {unit}".strip()
    number = Word(replace(token, text=digits), Kind.NUMBER, is_optional=token.kind == "one", bound=bound)
    if not unit:
        return [number], used
    return [number, Word(replace(token, text=unit, after=NONE), Kind.UNIT)], used


def _unit(token: Token) -> str:
    if token.kind == "symbol":
        return numbers.units().get(token.written, "")
    word = token.text.replace("metre", "meter").replace("litre", "liter")
    plural = word[:-1] if word.endswith("s") and len(word) > 3 else word
    plural = {"feet": "foot", "inches": "inch", "centuries": "century", "pennies": "penny"}.get(word, plural)
    return "" if word in ("in", "a", "us") else numbers.units().get(word) or numbers.units().get(plural, "")


def _part(token: Token, before: Token | None, behind: Token | None) -> Word:
    word = token.text
    at_start = token.after == SENTENCE
    if token.kind in ("symbol", "address", "script"):
        return Word(token, Kind.WORD)
    if word == NOT or (word in NEGATIONS and not (word == "no" and at_start and behind and behind.after)):
        return Word(token, Kind.NEGATION)
    if word in PERSONS and not _is_name(token, at_start):
        return Word(token, Kind.PERSON)
    numeral = numbers.roman(token.written)
    if numeral is not None and before and not (len(word) == 1 and at_start):
        return Word(replace(token, text=str(numeral)), Kind.NUMBER, bound=str(numeral))
    if word in ("this", "current", "these") and behind and _singular(behind.text) in SPANS:
        return Word(replace(token, text="this"), Kind.TIME)
    if _is_month(token, before, behind, at_start):
        return Word(token, Kind.TIME)
    if _is_name(token, at_start):
        return Word(replace(token, text=token.written.lower() + "!"), Kind.WORD)
    if word in EMPTY or word.startswith("'"):
        return Word(token, None)
    if word in TIME_WORDS:
        return Word(token, Kind.TIME, is_circumstance=word in WHEN)
    unit = _unit(token) if not numbers.needs_number(word) else ""
    if unit and not token.written.isupper():
        return Word(replace(token, text=unit), Kind.UNIT, is_circumstance=unit in _circumstances())
    if token.written[:1].isupper() and not at_start:
        # The name of something, whatever it means as a word.
        return Word(token, Kind.WORD)
    is_optional = stem(word) in _asking() or (at_start and word in COMMANDS)
    return Word(token, Kind.WORD, is_optional, stem(word) in _circumstances())


def _singular(word: str) -> str:
    return word.removesuffix("s") if len(word) > 3 else word


def _is_name(token: Token, at_start: bool) -> bool:
    """Function words in capitals name something: US, IT, WHO, vitamin A; Go in the middle of a sentence."""
    written = token.written
    if token.text not in EMPTY and token.text not in ASKING and token.text not in PERSONS:
        return False
    if len(written) == 1:
        return written.isupper() and written not in "I" and not at_start
    return written in ("US", "IT", "WHO", "OR", "ON", "IN", "AM") or (written == "Go" and not at_start)


def _is_month(token: Token, before: Token | None, behind: Token | None, at_start: bool) -> bool:
    if token.text != "may":
        return False
    near = {before.text if before else "", behind.text if behind else ""}
    is_dated = any(text.isdigit() for text in near) or (before is not None and before.text in BEFORE_MONTH)
    return is_dated or (token.written == "May" and not at_start)


def _foreign(tokens: list[Token], language: str) -> Iterator[Word]:
    """Only the closed classes of that language are known: all other words must agree as they are."""
    known = LANGUAGES[language]
    for position, token in enumerate(tokens):
        if token.kind == "number":
            yield from _number(token, tokens[position + 1] if position + 1 < len(tokens) else None)[0]
        elif token.text in known.negations:
            yield Word(token, Kind.NEGATION)
        else:
            yield Word(token, None if token.text.lstrip("'") in known.empty else Kind.WORD)
