"""Which words may stand for which: `lists/synonyms.txt`."""

from __future__ import annotations

from functools import cache, lru_cache

from gateway.cache.guarding.language.lists import lines
from gateway.cache.guarding.language.stems import stem


@lru_cache(maxsize=8_192)
def meanings(word: str) -> tuple[str, ...]:
    """What a word may be matched by: itself as its stem, and the groups it is in."""
    name = _name(word)
    return (name, *_groups().get(name, ()))


@cache
def words_with_synonyms() -> frozenset[str]:
    """All of them, as they are listed."""
    return frozenset(word for line in lines("synonyms") for word in line.split())


@cache
def _groups() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(lines("synonyms")):
        for name in dict.fromkeys(map(_name, line.split())):
            found[name] = (*found.get(name, ()), f"={number}")
    return found


def _name(word: str) -> str:
    return word if "-" in word else stem(word)
