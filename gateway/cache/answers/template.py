"""An answer's JSON with places for what is new each time it is given: its id and the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

from gateway.cache.answers.json_bytes import json_bytes
from gateway.llm.tokens import Protocol

ID_PREFIXES: Mapping[Protocol, str] = MappingProxyType(
    {
        Protocol.CHAT: "chatcmpl-",
        Protocol.COMPLETIONS: "cmpl-",
        Protocol.RESPONSES: "resp_",
        Protocol.ANTHROPIC: "msg_",
    }
)

# The first is always there, the others where the backend said them.
TIMES: Mapping[Protocol, tuple[str, ...]] = MappingProxyType(
    {
        Protocol.CHAT: ("created",),
        Protocol.COMPLETIONS: ("created",),
        Protocol.RESPONSES: ("created_at", "completed_at"),
        Protocol.ANTHROPIC: (),
    }
)


def times_in(protocol: Protocol, document: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the times that an answer is given with."""
    names = TIMES[protocol]
    return names[:1] + tuple(name for name in names[1:] if document.get(name) is not None)


@dataclass(frozen=True, slots=True)
class Template:
    """The JSON in parts: the id stands between the first two, the time after each but the first and the last."""

    parts: tuple[bytes, ...]

    @classmethod
    def of(cls, protocol: Protocol, document: Mapping[str, Any]) -> Self:
        """ValueError and RecursionError for what cannot be written as JSON."""
        times = times_in(protocol, document)
        rest = {name: value for name, value in document.items() if name != "id" and name not in times}
        tail = json_bytes(rest)[1:]
        starts = [f',"{name}":'.encode() for name in times]
        return cls((b'{"id":"', b'"', *starts, b"," + tail if rest else tail))

    def filled(self, answer_id: str, now: int) -> bytes:
        """The whole object. The id is of letters that JSON needs not escape."""
        opening, after_id, *starts, tail = self.parts
        moment = b"%d" % now
        times = moment.join(starts) + moment if starts else b""
        return b"".join((opening, answer_id.encode(), after_id, times, tail))
