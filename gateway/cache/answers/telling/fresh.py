"""What is new each time an answer is given."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fresh:
    """`id` is whole, with its prefix; `now` is in seconds since 1970; `wants_usage` is for streams of chunks."""

    id: str
    now: int
    wants_usage: bool = False
