"""A stream in its parts, each with what it says: events, or the frames of Amazon's binary streams."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from gateway.llm.events import Event, split_events
from gateway.llm.frame_reader import CHECKSUM_BYTES, LONGEST_FRAME_BYTES, PRELUDE_BYTES
from gateway.llm.json_values import object_in
from gateway.llm.sse import EventBuffer
from gateway.safety.answers.reading import documents_of, documents_of_event
from gateway.safety.answers.said import Channel, TooDeep, said

# Pictures come in single events.
LONGEST_EVENT_BYTES = 16 * 1024 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LAST_TYPES = ("message_stop", "response.completed", "response.incomplete", "response.failed", "response.cancelled")


@dataclass(frozen=True, slots=True)
class Part:
    """`raw` as it came. Nothing that matters comes after one that `is_last`, even if the connection stays open.

    One that `is_unreadable` may say anything.
    """

    raw: bytes
    document: Any = None
    texts: Sequence[tuple[Channel, str]] = ()
    is_last: bool = False
    is_unreadable: bool = False

    @property
    def characters(self) -> int:
        """Code points of text."""
        return sum(len(text) for _, text in self.texts)


class Parts(Protocol):
    """Fed the bytes of a stream, gives back its parts."""

    def feed(self, piece: bytes) -> Iterator[Part]: ...

    def rest(self) -> Iterator[Part]: ...


class EventParts:
    """Of server-sent events."""

    def __init__(self) -> None:
        self._buffer = EventBuffer(LONGEST_EVENT_BYTES)
        self._is_begun = False

    def feed(self, piece: bytes) -> Iterator[Part]:
        """Those that are whole now."""
        ready = self._buffer.feed(piece)
        if self._buffer.mid_event:
            return iter((Part(ready, is_unreadable=True),))
        return self._parts(ready)

    def rest(self) -> Iterator[Part]:
        """What a stream that stopped in the middle has left. Some readers take half an event for one."""
        half = self._buffer.rest()
        for event in split_events(half + b"\n\n" if half else b""):
            yield replace(_of_event(event), raw=half)
            return

    def _parts(self, whole: bytes) -> Iterator[Part]:
        if whole and not self._is_begun:
            self._is_begun = True
            if whole.startswith(BYTE_ORDER_MARK):
                yield Part(BYTE_ORDER_MARK)
                whole = whole.removeprefix(BYTE_ORDER_MARK)
        for event in split_events(whole):
            yield _of_event(event)


class FrameParts:
    """Of `application/vnd.amazon.eventstream`, whose format is described in `gateway.llm.frame_reader`."""

    def __init__(self) -> None:
        self._open = bytearray()

    def feed(self, piece: bytes) -> Iterator[Part]:
        """Those that are whole now."""
        self._open += piece
        while len(self._open) >= PRELUDE_BYTES:
            length = int.from_bytes(self._open[:4])
            if not PRELUDE_BYTES + CHECKSUM_BYTES <= length <= LONGEST_FRAME_BYTES:
                yield Part(bytes(self._open), is_unreadable=True)
                self._open.clear()
                return
            if len(self._open) < length:
                return
            frame = bytes(self._open[:length])
            del self._open[:length]
            start = PRELUDE_BYTES + int.from_bytes(frame[4:8])
            yield _of_frame(frame, frame[start:-CHECKSUM_BYTES], start <= length - CHECKSUM_BYTES)

    def rest(self) -> Iterator[Part]:
        """Half a frame, which nobody can read."""
        if self._open:
            frame = bytes(self._open)
            self._open.clear()
            yield _part(frame, [frame.decode(errors="replace")])


def _of_event(event: Event) -> Part:
    if event.data.strip() == b"[DONE]":
        return replace(_part(event.raw, documents_of_event(replace(event, data=b""))), is_last=True)
    return _part(event.raw, documents_of_event(event))


def _of_frame(frame: bytes, content: bytes, is_whole: bool) -> Part:
    if not is_whole:
        return Part(frame, is_unreadable=True)
    document = object_in(content)
    if document is None or not isinstance(document.get("bytes"), str):
        return _part(frame, documents_of(content) if document is None else [document])
    # Where a model's own events are sent on, each is in a frame by itself.
    try:
        inner = base64.b64decode(document.pop("bytes"), validate=True)
    except ValueError:
        return Part(frame, is_unreadable=True)
    return _part(frame, [*documents_of(inner), document])


def _part(raw: bytes, documents: Sequence[Any]) -> Part:
    document = documents[0] if documents else None
    is_last = isinstance(document, dict) and document.get("type") in LAST_TYPES
    try:
        return Part(raw, document, [each for document in documents for each in said(document)], is_last)
    except TooDeep:
        return Part(raw, is_unreadable=True)
