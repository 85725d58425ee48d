"""Cuts a text into the pieces in which a model would have delivered it: a few words each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

LEAST_CHARACTERS = 12
# A piece ends before white space or with the text, if that is within so many characters more.
REACH_CHARACTERS = 12
# A long text has longer pieces: each is an event of its own.
MOST_PIECES = 1_000
SPACE = re.compile(r"\s")

# One piece of text, and the places of its tokens in the list that describes them.
Described = tuple[str, slice]


def pieces(text: str) -> Iterator[str]:
    """Joined they are the text; none is empty, and an empty text has none."""
    size = max(LEAST_CHARACTERS, len(text) // MOST_PIECES)
    start = 0
    while start < len(text):
        end = start + size
        space = SPACE.search(text, end, end + REACH_CHARACTERS)
        if space is not None:
            end = space.start()
        elif end + REACH_CHARACTERS >= len(text):
            end = len(text)
        yield text[start:end]
        start = end


def described_pieces(text: str, tokens: Sequence[Any]) -> list[Described]:
    """Pieces of a text whose tokens are listed, so that each piece goes with what is said about its tokens.

    Where the tokens are not the text (some are half a letter), the first piece goes with all of them.
    """
    if not text or not all(isinstance(token, str) for token in tokens) or "".join(tokens) != text:
        plain = list(pieces(text)) or [""]
        return [(piece, slice(0, None if place == 0 else 0)) for place, piece in enumerate(plain)]
    cuts: list[Described] = []
    start = first = end = 0
    for place, token in enumerate(tokens, 1):
        end += len(token)
        if end - start >= max(LEAST_CHARACTERS, len(text) // MOST_PIECES) or place == len(tokens):
            cuts.append((text[start:end], slice(first, place)))
            start, first = end, place
    return cuts
