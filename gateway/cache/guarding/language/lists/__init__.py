"""Word lists: text files beside this one, of general knowledge of the language. Lines with `#` are remarks."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


@cache
def lines(name: str) -> tuple[str, ...]:
    """The lines of one list, read once."""
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


@cache
def words(name: str) -> frozenset[str]:
    """All words of a list."""
    return frozenset(word for line in lines(name) for word in line.split())


@cache
def replacements(name: str) -> dict[str, str]:
    """A list of `word=replacement`."""
    return dict(pair.split("=") for pair in words(name))


def these(text: str) -> frozenset[str]:
    """The words of a text, for lists of a few lines."""
    return frozenset(text.split())
