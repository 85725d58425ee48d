"""Cuts texts to what the service takes at a time: 10,000 code points, and five documents of so many together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

LONGEST_PIECE = 10_000
# What stands at a seam is in both pieces, if it is no longer than this.
OVERLAP = 200
# So far back a sentence's end is looked for.
LOOK_BACK = 2_000
MOST_DOCUMENTS = 5

SENTENCE_END = re.compile("[.!?\u3002\uff01\uff1f\u2026]+[\"'\u201d\u2019)\\]]*\\s|[\u3002\uff01\uff1f]|\\n+")


def cut(text: str) -> Sequence[str]:
    """The text in pieces, each of which begins with the end of the one before. Nothing of white space alone."""
    if len(text) <= LONGEST_PIECE:
        return (text,) if text and not text.isspace() else ()
    pieces = []
    start = 0
    while len(text) - start > LONGEST_PIECE:
        end = _end(text, start + LONGEST_PIECE)
        pieces.append(text[start:end])
        start = end - OVERLAP
    pieces.append(text[start:])
    return [piece for piece in pieces if not piece.isspace()]


def pack(documents: Iterable[str]) -> list[tuple[str, ...]]:
    """Documents, each no longer than a piece, in as few requests as their order allows."""
    packs: list[tuple[str, ...]] = []
    held: list[str] = []
    size = 0
    for document in documents:
        if held and (len(held) == MOST_DOCUMENTS or size + len(document) > LONGEST_PIECE):
            packs.append(tuple(held))
            held, size = [], 0
        held.append(document)
        size += len(document)
    if held:
        packs.append(tuple(held))
    return packs


def _end(text: str, latest: int) -> int:
    ends = [match.end() for match in SENTENCE_END.finditer(text, latest - LOOK_BACK, latest)]
    if ends:
        return ends[-1]
    space = text.rfind(" ", latest - LOOK_BACK, latest)
    return space + 1 if space > 0 else latest
