"""Assembles responses, whose last event has the whole object in it."""

from __future__ import annotations

from typing import Any

from gateway.cache.answers.not_kept import NotKept
from gateway.llm.json_values import mapping, object_in

ENDS = ("response.completed", "response.incomplete", "response.failed", "error")
MARKS = tuple(f'"{end}"'.encode() for end in ENDS)


class ResponsesAssembly:
    """Reads only the event that ends the stream; whether that is a good end is for the checks to say."""

    def __init__(self) -> None:
        self._response: dict[str, Any] = {}
        self.size = 0

    def take(self, data: bytes) -> bool:
        """The data of the next event; true if it was the last one. Raises NotKept."""
        if not any(mark in data for mark in MARKS):
            return False
        event = object_in(data)
        if event is None:
            raise NotKept("unreadable")
        if event.get("type") == "error" or (event.get("error") and "type" not in event):
            raise NotKept("error")
        if event.get("type") not in ENDS:
            return False
        self._response = dict(mapping(event.get("response")))
        self.size = len(data)
        return True

    def whole(self) -> dict[str, Any]:
        """The object that a caller gets who does not stream."""
        return self._response
