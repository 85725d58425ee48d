"""What was said of which text in the last hour, and what is being asked now."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from gateway.safety.scores import Scores

KEPT_SECONDS = 3_600.0
MOST_REMEMBERED = 50_000

Key = bytes
Ask = Callable[[], Awaitable[Sequence[Scores]]]


class Memory:
    """Scores by the hash of what was asked; no text is kept. `now` is in seconds, of any kind."""

    def __init__(self, now: Callable[[], float] = time.monotonic, most: int = MOST_REMEMBERED) -> None:
        self._now = now
        self._most = most
        self._salt = secrets.token_bytes(16)
        self._known: OrderedDict[Key, tuple[float, Scores]] = OrderedDict()
        self._asking: dict[tuple[Key, ...], _Question] = {}

    def question(self, *decides: Any) -> bytes:
        """For `key`: everything but the content that decides the scores."""
        return hashlib.blake2b(json.dumps(decides).encode(), digest_size=32, key=self._salt).digest()

    def key(self, question: bytes, content: str | bytes) -> Key:
        """The same for the same content, if the question is the same."""
        if isinstance(content, str):
            content = content.encode(errors="surrogatepass")
        return hashlib.blake2b(content, digest_size=16, key=question).digest()

    def get(self, key: Key) -> Scores | None:
        """None if it is not known, or was an hour ago."""
        known = self._known.get(key)
        if known is None:
            return None
        if self._now() - known[0] >= KEPT_SECONDS:
            del self._known[key]
            return None
        return known[1]

    async def ask(self, keys: tuple[Key, ...], ask: Ask) -> Sequence[Scores]:
        """Ask, or wait for who asks the same already; it ends when nobody waits any more. Remembers what is said."""
        question = self._asking.get(keys)
        if question is None:
            question = self._asking[keys] = _Question(asyncio.create_task(self._learn(keys, ask)))
            question.task.add_done_callback(_retrieve)
        question.waiting += 1
        try:
            return await asyncio.shield(question.task)
        finally:
            question.waiting -= 1
            if not question.waiting:
                question.task.cancel()
                if self._asking.get(keys) is question:
                    del self._asking[keys]

    async def aclose(self) -> None:
        """Give up what is being asked."""
        tasks = [question.task for question in self._asking.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _learn(self, keys: tuple[Key, ...], ask: Ask) -> Sequence[Scores]:
        found = await ask()
        for key, scores in zip(keys, found, strict=True):
            self._known[key] = (self._now(), scores)
            self._known.move_to_end(key)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return found


class _Question:
    __slots__ = ("task", "waiting")

    def __init__(self, task: asyncio.Task[Sequence[Scores]]) -> None:
        self.task = task
        self.waiting = 0


def _retrieve(task: asyncio.Task[Sequence[Scores]]) -> None:
    if not task.cancelled():
        task.exception()
