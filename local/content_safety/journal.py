"""What the stand-in was asked, for tests that count."""

from __future__ import annotations

import json
from collections import Counter, deque
from typing import Any

from local.model.counters import Counters

MOST_REQUESTS = 20_000


class Journal(Counters):
    """Counters, and the bodies of the newest requests, each with its operation such as `text:analyze`."""

    def reset(self) -> None:
        super().reset()
        self._asked: deque[tuple[str, bytes]] = deque(maxlen=MOST_REQUESTS)

    def note(self, operation: str, body: bytes) -> None:
        """A request came and was read."""
        self._asked.append((operation, body))

    def asked(self, operation: str) -> list[dict[str, Any]]:
        """The bodies of an operation's requests, in the order in which they came. Faulty answers count too."""
        return [json.loads(body) for name, body in list(self._asked) if name == operation and body]

    def texts(self) -> Counter[str]:
        """How often each text was analysed."""
        return Counter(body["text"] for body in self.asked("text:analyze"))

    def shielded(self) -> Counter[str]:
        """How often each text was looked at for an attack, as a prompt or as a document."""
        bodies = self.asked("text:shieldPrompt")
        prompts = (body["userPrompt"] for body in bodies if body.get("userPrompt"))
        return Counter([*prompts, *(document for body in bodies for document in body.get("documents") or ())])

    def snapshot(self) -> dict[str, Any]:
        operations = Counter(name for name, _ in list(self._asked))
        return {**super().snapshot(), "byOperation": dict(operations)}
