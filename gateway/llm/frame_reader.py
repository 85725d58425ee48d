"""Reads Amazon's binary event streams, in which Bedrock's `converse-stream` answers.

Each frame is its length, the length of its headers, a checksum, the headers, a JSON document, and a checksum; numbers
have four bytes, the greatest first. Source: AWS, "Amazon event stream encoding" (application/vnd.amazon.eventstream).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from gateway.llm.delivered import Count, DeliveredText
from gateway.llm.json_values import object_in
from gateway.llm.usage import Usage, usage_of

CONTENT_TYPE = b"application/vnd.amazon.eventstream"
PRELUDE_BYTES = 12
CHECKSUM_BYTES = 4
LONGEST_FRAME_BYTES = 1024 * 1024


class FrameReader:
    """Fed the pieces of one stream, and told how much of it the caller has received. Checksums are the caller's."""

    __slots__ = ("_coming", "_delivered", "_is_readable", "_open", "_read_bytes", "sent_bytes", "usage")

    def __init__(self, count: Count) -> None:
        self.usage: Usage | None = None
        self.sent_bytes = 0
        self._delivered = DeliveredText(count)
        # Documents that the caller may not have yet, each with where in the stream it ends.
        self._coming: deque[tuple[int, Mapping[str, Any]]] = deque()
        self._open = bytearray()
        self._read_bytes = 0
        self._is_readable = True

    def take(self, piece: bytes) -> None:
        """The next piece that the backend has sent."""
        self._settle()
        if not self._is_readable:
            return
        self._open += piece
        while len(self._open) >= PRELUDE_BYTES:
            length = int.from_bytes(self._open[:4])
            if not PRELUDE_BYTES + CHECKSUM_BYTES <= length <= LONGEST_FRAME_BYTES:
                self._is_readable = False
                self._open.clear()
                return
            if len(self._open) < length:
                return
            self._frame(bytes(self._open[:length]))
            del self._open[:length]

    def take_whole(self, content: bytes) -> None:
        """All of it at once."""
        self.take(content)

    def finish(self) -> None:
        """All of it has come."""

    def tokens(self) -> int:
        """Of the text that the caller has received since the backend last said how much it had generated."""
        self._settle()
        return self._delivered.tokens()

    def _frame(self, frame: bytes) -> None:
        self._read_bytes += len(frame)
        start = PRELUDE_BYTES + int.from_bytes(frame[4:8])
        document = object_in(frame[start:-CHECKSUM_BYTES])
        if document is None:
            return
        self._coming.append((self._read_bytes, document))
        said = usage_of(document)
        if said is not None:
            self.usage = said.after(self.usage)
            if said.completion:
                self._coming.clear()
                self._delivered.clear()

    def _settle(self) -> None:
        while self._coming and self._coming[0][0] <= self.sent_bytes:
            self._delivered.add_document(self._coming.popleft()[1])
