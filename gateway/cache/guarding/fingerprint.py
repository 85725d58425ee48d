"""What the guard keeps of a prompt instead of its text: keyed hashes of what its words mean, a few bytes a word."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

FORMAT = 1
HEADER = struct.Struct("<BB2sI8sQQ")
# Flags and kind, how many meanings, how many slips; letters, compound, before.
TERM = struct.Struct("<BBBIII")
OPTIONAL, KNOWN, NEGATED, CIRCUMSTANCE = 0x10, 0x20, 0x40, 0x80
KIND = 0x0F


class Kind(IntEnum):
    """What sort of term it is: the reason of a disagreement."""

    WORD = 0
    NUMBER = 1
    UNIT = 2
    TIME = 3
    NEGATION = 4
    # Takes part only in the question of who does what to whom.
    PERSON = 5


class Question(IntFlag):
    """What a prompt asks with, and the time it asks about."""

    NONE = 0
    WHY = 1
    WHEN = 2
    WHERE = 4
    WHO = 8
    HOW = 16
    AMOUNT = 32
    MAY = 64
    MUST = 128
    PAST = 256
    FUTURE = 512
    WHO_DOES = 1024
    TO_WHOM = 2048


@dataclass(frozen=True, slots=True)
class Term:
    """A word or number. Its first meaning is its own stem; by any of them it may match another term."""

    kind: Kind
    meanings: tuple[int, ...]
    # May be missing in the other prompt.
    is_optional: bool = False
    # A word of the guard's own lists: no typo of another such word.
    is_known: bool = False
    is_negated: bool = False
    # May be missing where the other prompt is put in other words.
    is_circumstance: bool = False
    # The word as it is, then without one of its letters; and all its letters, whatever their order.
    slips: tuple[int, ...] = ()
    letters: int = 0
    # This term and the next written as one word.
    compound: int = 0
    # The word that it depends on, mostly a preposition or a verb; 0 where it may change places with another.
    before: int = 0


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """All terms of a prompt in their order."""

    language: str
    questions: Question
    # Of the whole text, capitals and spaces apart.
    exact: bytes
    # Of the quoted text that is to be translated, summarised and so on; 0 without one.
    material: int
    # Of the brackets and operators of code, and of what comes after the words that were read one by one; 0 without.
    rest: int
    terms: tuple[Term, ...]

    def to_bytes(self) -> bytes:
        """About 40 bytes for each content word."""
        identity = (self.exact, self.material, self.rest)
        head = HEADER.pack(FORMAT, 0, self.language.encode(), self.questions, *identity)
        return head + b"".join(_packed(term) for term in self.terms)

    @classmethod
    def from_bytes(cls, content: bytes) -> Fingerprint:
        """ValueError where it is no fingerprint, or one of another format."""
        try:
            version, _, language, questions, exact, material, rest = HEADER.unpack_from(content)
            if version != FORMAT:
                raise ValueError(f"a fingerprint of format {version}, not {FORMAT}")
            terms, position = [], HEADER.size
            while position < len(content):
                term, position = _unpacked(content, position)
                terms.append(term)
        except struct.error:
            raise ValueError("no fingerprint: it ends too early") from None
        return cls(language.decode(), Question(questions), exact, material, rest, tuple(terms))


def _packed(term: Term) -> bytes:
    flags = term.kind | OPTIONAL * term.is_optional | KNOWN * term.is_known | NEGATED * term.is_negated
    flags |= CIRCUMSTANCE * term.is_circumstance
    numbers = (*term.meanings, *term.slips)
    head = TERM.pack(flags, len(term.meanings), len(term.slips), term.letters, term.compound, term.before)
    return head + struct.pack(f"<{len(numbers)}I", *numbers)


def _unpacked(content: bytes, position: int) -> tuple[Term, int]:
    flags, meanings, slips, letters, compound, before = TERM.unpack_from(content, position)
    position += TERM.size
    numbers = struct.unpack_from(f"<{meanings + slips}I", content, position)
    term = Term(
        Kind(flags & KIND),
        numbers[:meanings],
        bool(flags & OPTIONAL),
        bool(flags & KNOWN),
        bool(flags & NEGATED),
        bool(flags & CIRCUMSTANCE),
        numbers[meanings:],
        letters,
        compound,
        before,
    )
    return term, position + 4 * len(numbers)
