"""Reads an event stream as it passes: what the backend says it used, and what text the caller has received.

What the caller gets is byte for byte what the backend sent, but for the one event that we asked for and it did not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from gateway.errors import GatewayError
from gateway.llm.delivered import Count, DeliveredText
from gateway.llm.endings import last_chunk
from gateway.llm.events import split_events
from gateway.llm.sse import EventBuffer
from gateway.llm.tokens import Protocol
from gateway.llm.usage import Usage, delivered_text, usage_of

OnText = Callable[[str], None]

# Any usage but null, whatever stands between its name and its value where an event's data has several lines.
SAID = re.compile(rb'"usage(?:Metadata)?"(?:\s|data:)*:(?:\s|data:)*(?!null|\s|data:)')

# An event that went out in parts and is longer is not read.
LONGEST_EVENT_BYTES = 1024 * 1024


class StreamReader:
    """Fed the bytes of one stream, gives back what the caller may have, one or more whole events at a time.

    `on_text` is told of text before it goes out. A GatewayError that it raises is kept in `cut`: that event and what
    follows are not given back.
    """

    __slots__ = ("_buffer", "_cut_at", "_delivered", "_going", "_half", "_hides_usage", "cut", "on_text", "usage")

    def __init__(self, count: Count, *, hides_usage: bool = False, on_text: OnText | None = None) -> None:
        self.usage: Usage | None = None
        self.cut: GatewayError | None = None
        self.on_text = on_text
        self._hides_usage = hides_usage
        self._buffer = EventBuffer()
        self._delivered = DeliveredText(count)
        self._going = b""
        self._half = b""
        self._cut_at: Mapping[str, Any] = {}

    def feed(self, piece: bytes) -> bytes:
        """Take the next bytes of the stream; returns what may be sent now, which may be nothing."""
        return self._read(self._buffer.feed(piece))

    def rest(self) -> bytes:
        """What may be sent when the stream has ended by itself."""
        return self._read(self._buffer.rest())

    def let_go(self) -> bytes:
        """The half of an event that is held; its other half is not held any more, nor hidden."""
        return self._read(self._buffer.let_go())

    def sent(self) -> None:
        """The caller has accepted what `feed` or `rest` gave back last."""
        if self._going:
            self._delivered.add_events(self._going)
            self._going = b""

    def tokens(self) -> int:
        """Of the text that the caller has received since the backend last said how much it had generated."""
        return self._delivered.tokens()

    @property
    def holds_something(self) -> bool:
        """True if half an event is held."""
        return self._buffer.holds_something

    @property
    def mid_event(self) -> bool:
        """True if what went out last ends within an event."""
        return self._buffer.mid_event

    @property
    def error_seen(self) -> bool:
        """True if one of the events was an error."""
        return self._buffer.watcher.error_seen

    def last_chunk(self) -> bytes:
        """What ends a chat completion that was cut: its model has reached a length that it was not to exceed."""
        return last_chunk(Protocol.CHAT, self._cut_at, "length")

    def _read(self, ready: bytes) -> bytes:
        if self._half or self._buffer.mid_event:
            return self._read_half(ready)
        if self.on_text is None and SAID.search(ready) is None:
            self._going = ready
            return ready
        return self._read_events(ready, out=0)

    def _read_half(self, ready: bytes) -> bytes:
        """One event goes out in parts: it is read when it is whole."""
        out = len(self._half)
        self._half = (self._half + ready)[:LONGEST_EVENT_BYTES]
        if self._buffer.mid_event:
            self._going = b""
            return ready
        whole, self._half = self._half, b""
        if len(whole) < out + len(ready):
            self._going = b""
            return ready
        return self._read_events(whole, out)

    def _read_events(self, whole: bytes, out: int) -> bytes:
        """Read these events; of the first, `out` bytes are with the caller already."""
        passed: list[bytes] = []
        going: list[bytes] = []
        for event in split_events(whole):
            document = event.document()
            hidden = document is not None and self._is_hidden(document) and not (out and not passed)
            if document is not None and not hidden and not self._may_go(document):
                self._buffer.mid_event = bool(out and not passed)
                break
            if document is not None and self._tells_completion(document):
                # What was generated up to here needs no counting.
                going.clear()
                self._delivered.clear()
            elif not hidden:
                going.append(event.raw)
            if not hidden:
                passed.append(event.raw)
        self._going = b"".join(going)
        return b"".join(passed)[out:]

    def _is_hidden(self, document: Mapping[str, Any]) -> bool:
        return self._hides_usage and document.get("choices") == [] and document.get("usage") is not None

    def _may_go(self, document: Mapping[str, Any]) -> bool:
        text = "".join(delivered_text(document)) if self.on_text is not None else ""
        if self.on_text is None or not text:
            return True
        try:
            self.on_text(text)
        except GatewayError as error:
            self.cut, self._cut_at = error, document
        return self.cut is None

    def _tells_completion(self, document: Mapping[str, Any]) -> bool:
        said = usage_of(document)
        if said is None:
            return False
        self.usage = said.after(self.usage)
        return said.completion > 0
