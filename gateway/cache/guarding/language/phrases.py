"""Several words with one meaning, as one word: `lists/phrases.txt`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from gateway.cache.guarding.language.contractions import apart
from gateway.cache.guarding.language.lists import lines, replacements, these
from gateway.cache.guarding.language.splitting import NONE, Token

# By first word, the longest first: its words, and what it is read as.
Phrases = dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]]

# `turn the captions off`: how far a particle may be from its verb.
PARTICLES = these("off down up out back away on")
SEPARABLE = these(
    """
    turn turned turning switch switched switching shut power set log sign back look bring take send give hand put call
    """
)
REACH = 5
# A verb before one of these may be in any form: `logged out`, `looking for`.
AFTER_VERBS = PARTICLES | these("in into over for after across through rid upon with to")


def phrases(pairs: Iterable[tuple[str, str]]) -> Phrases:
    """From variants with `|` between them, and what these are read as."""
    table: Phrases = {}
    for variants, meaning in pairs:
        for variant in variants.split("|"):
            words = tuple(part for word in variant.replace("-", " ").split() for part in apart(word))
            for first in _forms(words[0]) if words[1:2] and words[1] in AFTER_VERBS else words[:1]:
                table.setdefault(first, []).append(((first, *words[1:]), tuple(meaning.split())))
    for entries in table.values():
        entries.sort(key=lambda entry: -len(entry[0]))
    return table


def _forms(verb: str) -> Iterable[str]:
    """A verb in all its forms, and some that do not exist."""
    irregular = (form for form, base in replacements("irregular").items() if base == verb)
    bases = (verb, verb.removesuffix("e"), verb + verb[-1])
    regular = (base + ending for base in bases for ending in ("ed", "ing"))
    return dict.fromkeys((verb, f"{verb}s", f"{verb}es", *regular, *irregular))


def phrase_at(table: Phrases, words: Sequence[str], position: int) -> tuple[int, tuple[str, ...]] | None:
    """The longest phrase that begins there: how many words it has, and what it is read as."""
    for phrase, meaning in table.get(words[position], ()):
        if tuple(words[position : position + len(phrase)]) == phrase:
            return len(phrase), meaning
    return None


def rephrased(tokens: list[Token]) -> list[Token]:
    """With every phrase as what it is read as."""
    tokens = _rejoined(tokens)
    words = [token.text for token in tokens]
    kept: list[Token] = []
    position, after = 0, NONE
    while position < len(tokens):
        token = tokens[position]
        after = max(after, token.after)
        length, meaning = phrase_at(_all(), words, position) or (0, ())
        read = [_token(word, token) for word in meaning] if length else [token]
        for each in read:
            kept.append(each.following(after))
            after = NONE
        position += length or 1
    return kept


@cache
def _all() -> Phrases:
    pairs = (line.partition("=") for line in lines("phrases"))
    return phrases((variants.strip(), meaning.strip()) for variants, _, meaning in pairs)


def _token(word: str, instead_of: Token) -> Token:
    return Token(word, word, "number" if word.isdigit() else "word", NONE, instead_of.is_quoted)


def _rejoined(tokens: list[Token]) -> list[Token]:
    """`turn the captions off` as `turn off the captions`."""
    for position, token in enumerate(tokens):
        place = _particle(tokens, position) if token.text in SEPARABLE else None
        if place is not None:
            between = tokens[position + 1 : place]
            moved = [*tokens[: position + 1], tokens[place], *between, *tokens[place + 1 :]]
            return moved if phrase_at(_all(), [each.text for each in moved], position) else tokens
    return tokens


def _particle(tokens: list[Token], verb: int) -> int | None:
    for place in range(verb + 1, min(verb + REACH, len(tokens))):
        if tokens[place].after:
            return None
        is_last = place + 1 == len(tokens) or tokens[place + 1].after
        if place > verb + 1 and tokens[place].text in PARTICLES and (tokens[place].text != "on" or is_last):
            return place
    return None
