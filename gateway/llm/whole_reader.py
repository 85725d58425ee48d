"""Reads an answer that is no event stream: what the backend says it used, and what text the caller has received."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.call import Header
from gateway.llm.delivered import Count
from gateway.llm.json_values import json_in, object_in, objects
from gateway.llm.usage import Usage, delivered_text, is_json, usage_in_headers, usage_of

# A longer answer is not parsed: only its end is looked at, where embeddings by the megabyte say what they cost.
LONGEST_READ_BYTES = 1024 * 1024
TAIL_BYTES = 4_096
USAGE_AT_END = re.compile(rb'"usage"\s*:\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})')


class WholeReader:
    """Fed the pieces of one answer, and told how much of it the caller has received."""

    __slots__ = (
        *("_count", "_headers", "_is_complete", "_pieces", "_received", "_tail", "_text_tokens", "_texts"),
        *("sent_bytes", "usage"),
    )

    def __init__(self, headers: Sequence[Header], count: Count) -> None:
        self.usage: Usage | None = None
        self.sent_bytes = 0
        self._headers = headers
        self._count = count
        self._pieces: list[bytes] = []
        self._received = 0
        self._tail = b""
        self._is_complete = False
        self._texts: list[str] | None = None
        self._text_tokens: int | None = None

    def take(self, piece: bytes) -> None:
        """The next piece that the backend has sent."""
        self._received += len(piece)
        if self._received <= LONGEST_READ_BYTES:
            self._pieces.append(piece)
        self._tail = (self._tail + piece[-TAIL_BYTES:])[-TAIL_BYTES:]

    def take_whole(self, content: bytes) -> None:
        """All of it at once, unless that was read before it was sent."""
        if not self._is_complete:
            self.take(content)
            self.finish()

    def finish(self) -> None:
        """All of it has come. Safe to call twice."""
        if self._is_complete:
            return
        self._is_complete = True
        if is_json(self._headers):
            self._read_json()
        if self.usage is None:
            self.usage = usage_in_headers(self._headers)

    def tokens(self) -> int:
        """Of the text that the caller has received."""
        if self.usage is not None or not self.sent_bytes or not is_json(self._headers):
            return 0
        if not self._is_complete or self.sent_bytes < self._received or self._is_long:
            # Half a document is none: its bytes are counted as the text that they nearly are.
            return self._count([self._content()[: self.sent_bytes].decode(errors="replace")])
        return self._tokens_of_texts()

    def tokens_of_whole(self) -> int:
        """The same, when the caller will have received all of it."""
        if self.usage is not None or not self._is_complete or self._is_long or not is_json(self._headers):
            return 0
        return self._tokens_of_texts()

    def _tokens_of_texts(self) -> int:
        if self._text_tokens is None:
            if self._texts is None:
                self._read_documents(self._content())
            self._text_tokens = self._count(["".join(self._texts or ())])
        return self._text_tokens

    @property
    def _is_long(self) -> bool:
        return self._received > LONGEST_READ_BYTES

    def _content(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def _read_json(self) -> None:
        if self._is_long:
            found = USAGE_AT_END.search(self._tail)
            said = object_in(found[1]) if found else None
            self.usage = usage_of({"usage": said})
        elif b'"usage' in (content := self._content()):
            self._read_documents(content)

    def _read_documents(self, content: bytes) -> None:
        self._texts = []
        # Gemini streams a list of its answers to those who do not ask for events.
        for document in objects(json_in(content)):
            said = usage_of(document)
            self.usage = said.after(self.usage) if said is not None else self.usage
            if self.usage is None:
                self._texts += delivered_text(document)
