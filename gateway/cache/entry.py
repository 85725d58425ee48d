"""What the index knows of an answer that is kept, and how near one is to a question."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

ID = re.compile(r"[0-9]{13}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One cached answer without its text.

    `id` is also the row key and what `x-cache-id` says: 13 digits of milliseconds since 1970, "-", 12 hex characters.
    `fingerprint` is the guard's, and empty if there is none; `prompt` is there only if the operator has it stored.
    `stamp` says by which settings content safety has screened the answer; empty if it has not.
    """

    id: str
    scope: str
    context: bytes
    exact: bytes
    fingerprint: bytes
    created: float
    expires: float
    api: str
    subscription: str
    prompt: str = ""
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """An entry and its cosine distance, from 0 to 2, to what was asked; 0.0 if it is the same question."""

    entry: Entry
    distance: float


def new_id(moment: float) -> str:
    """An id of its own for what is made at a moment, in seconds since 1970. Ids are in the order of time."""
    return f"{first_id(moment)}{secrets.token_hex(6)}"


def first_id(moment: float) -> str:
    """What no id of a moment or later is before."""
    return f"{max(0, int(moment * 1000)):013d}-"
