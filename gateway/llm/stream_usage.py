"""The tokens of a streamed answer: asked for where a backend tells them only then, read as the stream passes.

What the caller receives is byte for byte what the backend sent, but for the one event that we asked for and it did not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.llm.json_values import mapping, object_in
from gateway.llm.sse import LINE_END
from gateway.llm.usage import Usage, delivered_text, usage_of

SAID = re.compile(rb'"usage(Metadata)?"\s*:\s*\{')
OPTIONS = "stream_options"
ASKED = {"include_usage": True}


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream: its bytes as they came, and its data."""

    raw: bytes
    data: bytes


def split_events(whole: bytes) -> Iterator[Event]:
    """The events in bytes that hold whole ones only, as `EventBuffer` lets them through."""
    begin = start = 0
    data: list[bytes] = []
    for end in LINE_END.finditer(whole):
        line = whole[start : end.start()]
        start = end.end()
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line:
            yield Event(whole[begin:start], b"\n".join(data))
            begin, data = start, []
    if begin < len(whole):
        # What a stream that stopped in the middle has left.
        yield Event(whole[begin:], b"\n".join(data))


def usage_in_events(whole: bytes, earlier: Usage | None) -> Usage | None:
    """What a stream has said was used, after these whole events. Costs next to nothing where they do not say it."""
    if SAID.search(whole) is None:
        return earlier
    for event in split_events(whole):
        document = _document(event.data)
        said = usage_of(document) if document is not None else None
        earlier = said.after(earlier) if said is not None else earlier
    return earlier


def asks_for_usage(document: Mapping[str, Any]) -> bool:
    """True if the caller itself wants the event with the usage."""
    return mapping(document.get(OPTIONS)).get("include_usage") is True


def with_usage_asked_for(content: bytes, document: Mapping[str, Any]) -> bytes:
    """The body of a streamed chat completion, asking for its usage. Everything else in it keeps its spelling."""
    if OPTIONS in document:
        changed = {**document, OPTIONS: {**mapping(document[OPTIONS]), **ASKED}}
        return json.dumps(changed, separators=(",", ":")).encode()
    comma = b"," if document else b""
    return CLOSING_BRACE.sub(lambda _: comma + b'"stream_options":{"include_usage":true}}', content)


CLOSING_BRACE = re.compile(rb"\}\s*\Z")


class StreamUsage:
    """Follows one stream. `usage` is what the backend has said so far; `text` is what it has generated."""

    __slots__ = ("_hides_usage", "_text", "usage")

    def __init__(self, *, hides_usage: bool) -> None:
        self.usage: Usage | None = None
        self._hides_usage = hides_usage
        self._text: list[str] = []

    @property
    def text(self) -> str:
        """All generated text, to be counted if the backend never says what it used."""
        return "".join(self._text)

    def take(self, whole: bytes) -> bytes:
        """Read whole events; returns what the caller may have of them."""
        passed = [event.raw for event in split_events(whole) if not self._is_hidden(event)]
        return b"".join(passed)

    def _is_hidden(self, event: Event) -> bool:
        document = _document(event.data)
        if document is None:
            return False
        self._text.extend(delivered_text(document))
        said = usage_of(document)
        if said is not None:
            self.usage = said.after(self.usage)
        return self._hides_usage and document.get("choices") == [] and mapping(document.get("usage")) != {}


def _document(data: bytes) -> dict[str, Any] | None:
    return object_in(data) if data.startswith(b"{") else None
