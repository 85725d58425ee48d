"""The single events in what an `EventBuffer` lets through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.llm.json_values import object_in
from gateway.llm.sse import LINE_END


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream: its bytes as they came, its data, and what else stands in it, line by line."""

    raw: bytes
    data: bytes
    others: Sequence[bytes] = ()

    def document(self) -> dict[str, Any] | None:
        """The JSON object that the event carries; None if it carries something else."""
        return object_in(self.data) if self.data.startswith(b"{") else None


def split_events(whole: bytes) -> Iterator[Event]:
    """The events in bytes that hold whole ones only."""
    begin = start = 0
    data: list[bytes] = []
    others: list[bytes] = []
    for end in LINE_END.finditer(whole):
        line = whole[start : end.start()]
        start = end.end()
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line:
            yield Event(whole[begin:start], b"\n".join(data), others)
            begin, data, others = start, [], []
        else:
            others.append(line)
    if begin < len(whole):
        # What a stream that stopped in the middle has left.
        yield Event(whole[begin:], b"\n".join(data), others)
