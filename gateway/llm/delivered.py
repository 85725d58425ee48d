"""The text that a caller has received of a stream, kept in little space until it is known whether anybody asks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gateway.llm.events import split_events
from gateway.llm.json_values import objects
from gateway.llm.usage import delivered_text

Count = Callable[[Sequence[str]], int]

# The last events are kept as they came, which costs nothing; of those before them only the text is.
KEPT_BYTES = 256 * 1024
KEPT_CHARACTERS = 64 * 1024


class DeliveredText:
    """Takes events, tells how many tokens their text is."""

    __slots__ = ("_bytes", "_characters", "_count", "_events", "_texts", "_tokens")

    def __init__(self, count: Count) -> None:
        self._count = count
        self.clear()

    def clear(self) -> None:
        """Forget everything: it has been accounted for."""
        self._events: deque[bytes] = deque()
        self._bytes = 0
        # One for each choice: those of one stream come in turns, a few letters at a time.
        self._texts: dict[int, list[str]] = {}
        self._characters = 0
        self._tokens = 0

    def add_events(self, events: bytes) -> None:
        """Whole events that the caller has."""
        self._events.append(events)
        self._bytes += len(events)
        self._condense(KEPT_BYTES)

    def add_document(self, document: Mapping[str, Any]) -> None:
        """What a single event says."""
        for choice, text in _texts(document):
            self._texts.setdefault(choice, []).append(text)
            self._characters += len(text)
        if self._characters > KEPT_CHARACTERS:
            self._tokens += self._count_texts()
            self._texts, self._characters = {}, 0

    def tokens(self) -> int:
        """Of all the text; an estimate where there is very much of it."""
        self._condense(0)
        return self._tokens + self._count_texts()

    def _condense(self, kept: int) -> None:
        while self._bytes > kept:
            events = self._events.popleft()
            self._bytes -= len(events)
            for event in split_events(events):
                self.add_document(event.document() or {})

    def _count_texts(self) -> int:
        return self._count(["".join(parts) for parts in self._texts.values()])


def _texts(document: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    if "choices" not in document:
        yield from ((0, text) for text in delivered_text(document))
    for choice in objects(document.get("choices")):
        index = choice.get("index")
        for text in delivered_text({"choices": [choice]}):
            yield index if isinstance(index, int) else 0, text
