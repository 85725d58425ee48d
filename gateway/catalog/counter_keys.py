"""Counter keys as they are written: whose use a limit counts, each for itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

from gateway.catalog.fields import TOKEN

KeyKind = Literal["subscription", "product", "api", "ip", "model", "user", "header", "text"]

WITH_HEADER = ("user", "header")
WORDS = tuple(kind for kind in get_args(KeyKind) if kind not in (*WITH_HEADER, "text"))
TEXT = re.compile(r"[A-Za-z0-9._-]{1,80}")


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One part of a counter key. `name` is a header's name, or the text of a fixed one."""

    kind: KeyKind
    name: str = ""


def parse_counter_key(text: str) -> tuple[KeyPart, ...]:
    """The parts of `subscription+header:x-team`; raise ValueError if one of them is none."""
    parts = tuple(_part(part) for part in text.split("+"))
    if len(set(parts)) < len(parts):
        raise ValueError("must not name the same thing more than once")
    return parts


def _part(text: str) -> KeyPart:
    kind, colon, name = text.partition(":")
    if colon and kind in WITH_HEADER:
        if TOKEN.fullmatch(name) is None:
            raise ValueError(f'must name a header behind "{kind}:", as in "{kind}:x-team"')
        return KeyPart(cast(KeyKind, kind), name.lower())
    if text in WITH_HEADER:
        raise ValueError(f'must say which header "{text}" means, as in "{text}:x-team"')
    if text in WORDS:
        return KeyPart(cast(KeyKind, text))
    if TEXT.fullmatch(text) is None:
        raise ValueError(
            f'must be {", ".join(WORDS)}, "user:HEADER", "header:HEADER" or a fixed text of letters, digits, '
            '".", "_" and "-", or several of them joined by "+"'
        )
    return KeyPart("text", text)


def check_counter_key(text: str) -> str:
    """A counter key that can be parsed."""
    parse_counter_key(text)
    return text
