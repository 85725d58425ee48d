"""What was said of which text in the last hour, and what is being asked now."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
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
        self._salted = hashlib.blake2b(digest_size=16, key=secrets.token_bytes(16))
        self._known: OrderedDict[Key, tuple[float, Scores]] = OrderedDict()
        self._asking: dict[tuple[Key, ...], _Question] = {}

    def question(self, *decides: Any) -> bytes:
        """For `key`: everything but the content that decides the scores."""
        return self._digest(json.dumps(decides))

    def key(self, question: bytes, content: str | bytes) -> Key:
        """The same for the same content, if the question is the same."""
        return question + self._digest(content)

    def get(self, key: Key) -> Scores | None:
        """None if it is not known, or was an hour ago."""
        known = self._known.get(key)
        if known is None:
            return None
        if self._now() - known[0] >= KEPT_SECONDS:
            del self._known[key]
            return None
        return known[1]

    def are_zero(self, question: bytes, contents: Iterable[str]) -> bool:
        """Whether `get` would give scores for each, and all of them zero; nearly always so, therefore at once."""
        since = self._now() - KEPT_SECONDS
        known, salted = self._known, self._salted
        for content in contents:
            digest = salted.copy()
            digest.update(content.encode("utf-8", "surrogatepass"))
            found = known.get(question + digest.digest())
            if found is None or found[0] <= since or not found[1].are_zero:
                return False
        return True

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

    def _digest(self, content: str | bytes) -> bytes:
        digest = self._salted.copy()
        digest.update(content.encode(errors="surrogatepass") if isinstance(content, str) else content)
        return digest.digest()

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
