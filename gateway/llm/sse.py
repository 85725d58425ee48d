"""Server-sent events, watched as they pass: where one ends, and whether one of them is an error.

The parser is incremental: any split of the bytes gives the same result. It never changes what is sent.
Source of the format: the HTML standard, section 9.2, "Server-sent events".
"""

from __future__ import annotations

import re

# Of a longer line only the beginning is looked at.
MAXIMUM_LINE_BYTES = 65_536
MAXIMUM_HELD_BYTES = 262_144


# An object that opens with an error, and not with `"error": null`, as some events of responses do.
ERROR = re.compile(rb'\{\s*"error"\s*:\s*(?!null|\s)')
LINE_END = re.compile(rb"\r\n|\n|\r")


class EventWatcher:
    """Fed the bytes of an event stream, says where events end, and knows if an error was among them."""

    __slots__ = ("error_seen", "_line", "_at_boundary", "_after_carriage_return")

    def __init__(self) -> None:
        self.error_seen = False
        self._line = bytearray()
        self._at_boundary = True
        self._after_carriage_return = False

    def feed(self, piece: bytes) -> int:
        """Take the next bytes of the stream; returns how many of them end with the last complete event."""
        if not piece:
            return 0
        start = complete = 0
        if self._after_carriage_return and piece.startswith(b"\n"):
            start = 1
            complete = 1 if self._at_boundary else 0
        self._after_carriage_return = piece.endswith(b"\r")
        for end in LINE_END.finditer(piece, start):
            self._take(piece[start : end.start()])
            start = end.end()
            self._at_boundary = self._end_line()
            if self._at_boundary:
                complete = start
        if start < len(piece):
            self._take(piece[start:])
            self._at_boundary = False
        return complete

    def _take(self, part: bytes) -> None:
        self._line += part[: MAXIMUM_LINE_BYTES - len(self._line)]

    def _end_line(self) -> bool:
        line = bytes(self._line)
        self._line.clear()
        if line.startswith(b"data:"):
            self._judge(line[5:].strip())
        elif line.startswith(b"event:") and line[6:].strip() in (b"error", b"response.failed"):
            self.error_seen = True
        return not line

    def _judge(self, data: bytes) -> None:
        if ERROR.match(data):
            self.error_seen = True


class EventBuffer:
    """Whole events, cut from pieces that end anywhere: what is sent never stops in the middle of an event.

    One that grows beyond `most_held` bytes, or is let go, goes through as it comes from then on, and `mid_event` says
    so until it ends.
    """

    __slots__ = ("watcher", "mid_event", "_held", "_most_held")

    def __init__(self, most_held: int = MAXIMUM_HELD_BYTES) -> None:
        self.watcher = EventWatcher()
        self.mid_event = False
        self._most_held = most_held
        self._held = bytearray()

    def feed(self, piece: bytes) -> bytes:
        """Take the next bytes of the stream; returns what may be sent now, which may be nothing."""
        end = self.watcher.feed(piece)
        if end:
            ready = self.rest() + piece[:end]
            self._held += piece[end:]
            self.mid_event = False
            return ready
        self._held += piece
        if not self.mid_event and len(self._held) <= self._most_held:
            return b""
        return self.let_go()

    @property
    def holds_something(self) -> bool:
        """True if half an event is held."""
        return bool(self._held)

    def let_go(self) -> bytes:
        """The half of an event that is held; its other half is not held any more."""
        self.mid_event = True
        return self.rest()

    def rest(self) -> bytes:
        """What is left when the stream has ended by itself."""
        held = bytes(self._held)
        self._held.clear()
        return held


def error_event(document: bytes) -> bytes:
    """An event that OpenAI's clients raise as an error: `document` is the JSON of the one error shape."""
    return b"data: " + document + b"\n\n"


COMMENT = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"
