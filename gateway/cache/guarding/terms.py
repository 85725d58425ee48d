"""The words of a prompt as terms: hashes of what they mean, of their slips, and of what they stand after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b

from gateway.cache.guarding.fingerprint import Kind, Term
from gateway.cache.guarding.language.contractions import NOT
from gateway.cache.guarding.language.function_words import DETERMINERS, GOVERNORS, JOINING, PERSONS
from gateway.cache.guarding.language.lists import these
from gateway.cache.guarding.language.others import ENGLISH
from gateway.cache.guarding.language.spelling import SHORTEST, SHORTEST_EXCHANGED, is_word, shortened
from gateway.cache.guarding.language.splitting import SENTENCE
from gateway.cache.guarding.language.stems import stem
from gateway.cache.guarding.language.synonyms import meanings
from gateway.cache.guarding.reading import Reading, Word

START = "^"
# A question is asked with these, so that its verb comes before its subject.
INVERTING = these("why what who where when which how")
# Typos are looked for in prompts of at most so many words, because they take most of a fingerprint's bytes.
MOST_MISSPELLED = 64


def terms_of(reading: Reading, key: bytes) -> Iterator[Term]:
    """All words that count, in their order."""
    words = reading.words
    befores = _befores(words)
    negated = _negated(words)
    counting = [place for place, word in enumerate(words) if word.kind is not None]
    for number, place in enumerate(counting, start=1):
        behind = words[counting[number]] if number < len(counting) else None
        term = _term(words[place], behind, befores[place], reading.language, key)
        if len(counting) > MOST_MISSPELLED:
            term = replace(term, slips=(), letters=0)
        yield replace(term, is_negated=True) if place in negated else term


def _negated(words: Sequence[Word]) -> set[int]:
    """The places of what comes after a negation; not of the subject in `Why won't the printer print`."""
    found = set()
    for place, word in enumerate(words):
        is_inverted = word.text == NOT and (
            place < 2 or words[place - 1].token.after or words[place - 2].text in INVERTING
        )
        if word.kind is Kind.NEGATION and not is_inverted:
            found.add(next((later for later in range(place + 1, len(words)) if words[later].kind is not None), place))
    return found


def _term(word: Word, behind: Word | None, before: str, language: str, key: bytes) -> Term:
    kind = word.kind or Kind.WORD
    text = PERSONS[word.text] if kind is Kind.PERSON else word.text
    names: tuple[str, ...] = (text,)
    if kind is Kind.NUMBER:
        names = (f"#{text}", f"#{word.bound}")
    elif kind is Kind.UNIT:
        names = (text, *meanings(word.token.written.lower())[1:])
    elif kind in (Kind.WORD, Kind.TIME) and language == ENGLISH:
        names = meanings(text)
    may_be_typo = kind in (Kind.WORD, Kind.TIME) and names[0].isalpha()
    slips, letters = _slips(text, key) if may_be_typo and len(text) >= SHORTEST_EXCHANGED else ((), 0)
    return Term(
        kind,
        tuple(hashed(name, key) for name in names),
        is_optional=word.is_optional,
        is_known=may_be_typo and is_word(text),
        is_circumstance=word.is_circumstance,
        slips=slips,
        letters=letters,
        compound=_compound(word, behind, key),
        before=hashed(before, key) if before else 0,
    )


def _compound(word: Word, behind: Word | None, key: bytes) -> int:
    if behind is None or behind.token.after or not (word.text.isalpha() and behind.text.isalpha()):
        return 0
    return hashed(stem(word.text + behind.text), key)


def _befores(words: Sequence[Word]) -> list[str]:
    """For each word the one that it depends on: the last before it that is no article or the like."""
    found: list[str] = []
    last = START
    for word in words:
        text = word.text
        if word.token.after:
            last = START if word.token.after == SENTENCE else last
        found.append("" if last in JOINING else last)
        if text not in DETERMINERS and not text.startswith("'"):
            last = GOVERNORS.get(text) or PERSONS.get(text) or stem(text)
    return found


@lru_cache(maxsize=8_192)
def _slips(word: str, key: bytes) -> tuple[tuple[int, ...], int]:
    # What is not found in another word's slips by itself, but by what both become without a letter.
    own = word if len(word) >= SHORTEST else f"{word}!"
    slips = tuple(hashed(each, key) for each in dict.fromkeys((own, *shortened(word))))
    return slips, hashed("letters " + "".join(sorted(word)), key)


@lru_cache(maxsize=16_384)
def hashed(text: str, key: bytes) -> int:
    """Of a word, in 32 bits: that two words share one happens once in thousands of millions."""
    return int.from_bytes(digest(text, key, 4), "little")


def digest(text: str, key: bytes, size: int) -> bytes:
    """Of a text; the key is of at most 64 bytes."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size, key=key).digest()
