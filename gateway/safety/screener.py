"""Screens by one set of settings."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from gateway.catalog.content_safety import ContentSafety
from gateway.safety.asked import Asked
from gateway.safety.client import SafetyClient
from gateway.safety.memory import Ask, Key, Memory
from gateway.safety.pieces import cut, pack
from gateway.safety.scores import KINDS, Scores
from gateway.safety.verdict import CLEAN, Finding, ScreeningUnavailable, Verdict, worst

# Requests at a time for one call.
CONCURRENCY = 16

IMAGE_BLOCKED = Verdict((Finding("image", True, detected=True),))

# Several things that one request asks, and how each is judged.
_Batch = tuple[tuple[Key, ...], Ask, str]


class Screener:
    """One for each ResolvedScreening; `stamp` is the same as long as answers would be judged alike.

    `identity` tells one service from another. Without a `client` everything is an outage.
    """

    def __init__(self, settings: ContentSafety, client: SafetyClient | None, identity: str, memory: Memory) -> None:
        self.settings = settings
        self._client = client
        self._memory = memory
        self._analyzes, self._shields = settings.analyzes, settings.shield_prompt
        self._categories = tuple(sorted(settings.categories))
        self._blocklists = tuple(sorted(settings.blocklists))
        analysis = (identity, self._categories, settings.output_type, self._blocklists)
        self._text = memory.question("text", *analysis)
        self._image = memory.question("image", identity, self._categories)
        self._prompt = memory.question("prompt", identity)
        self._document = memory.question("document", identity)
        decides = [*analysis, sorted(settings.categories.items()), settings.enforce_on_completions]
        self.stamp = hashlib.blake2b(json.dumps(decides).encode(), digest_size=8).hexdigest()

    def known(self, asked: Asked) -> Verdict | None:
        """What is remembered of all of it, but for zeros; None if the service must be asked."""
        if self._is_all_zero(asked):
            return CLEAN
        if self._has_blocked_images(asked):
            return IMAGE_BLOCKED
        verdicts = []
        memory = self._memory
        for question, kind, pieces in self._questions(asked):
            for piece in pieces:
                scores = memory.get(memory.key(question, piece))
                if scores is None:
                    return None
                if not scores.are_zero:
                    verdicts.append(self._judge(scores, kind))
        return worst(verdicts) if verdicts else CLEAN

    def _is_all_zero(self, asked: Asked) -> bool:
        """A short way to what `known` finds of most requests. A long text is known in pieces, and never here."""
        if asked.documents or asked.images:
            return False
        memory, prompt = self._memory, asked.user_prompt
        if self._analyzes and not memory.are_zero(self._text, asked.texts):
            return False
        if not self._shields or not prompt or prompt.isspace():
            return True
        return memory.are_zero(self._prompt, (prompt,))

    async def screen(self, asked: Asked) -> Verdict:
        """All of it, up to the first violation. Raises ScreeningUnavailable."""
        if self._has_blocked_images(asked):
            return IMAGE_BLOCKED
        batches = self._batches(asked)
        if self._client is not None and self.settings.analyzes:
            # Once for each process, and no fault of the service.
            await self._client.ready()
        return await self._within_time(batches)

    def _has_blocked_images(self, asked: Asked) -> bool:
        return self.settings.images == "block" and bool(asked.images)

    def _questions(self, asked: Asked) -> Sequence[tuple[bytes, str, Iterable[str | bytes]]]:
        """What is asked about what, and how it is judged."""
        questions: list[tuple[bytes, str, Iterable[str | bytes]]] = [(self._text, "text", self._texts(asked))]
        if asked.images:
            questions.append((self._image, "text", self._images(asked)))
        if self.settings.shield_prompt:
            questions.append((self._prompt, "jailbreak", cut(asked.user_prompt)))
            if asked.documents:
                questions.append((self._document, "indirect_attack", _all_pieces(asked.documents)))
        return questions

    def _texts(self, asked: Asked) -> Iterable[str]:
        return _all_pieces(asked.texts) if self.settings.analyzes else ()

    def _images(self, asked: Asked) -> Iterable[bytes]:
        return dict.fromkeys(asked.images) if self.settings.images == "analyze" else ()

    def _batches(self, asked: Asked) -> list[_Batch]:
        """Only what is not known clean; known violations are found before anything is asked."""
        client, memory = self._client, self._memory
        if client is None:
            raise ScreeningUnavailable("unresolved")
        found: list[_Batch] = []
        if self.settings.shield_prompt:
            # First: the service is at work on these while the official client makes its requests, which takes it long.
            for piece in cut(asked.user_prompt):
                key = memory.key(self._prompt, piece)
                found.append(((key,), partial(client.shield, piece, ()), "jailbreak"))
            found += self._document_batches(client, asked)
        for text in self._texts(asked):
            ask = partial(_one, partial(client.analyze_text, text, *self._analysis()))
            found.append(((memory.key(self._text, text),), ask, "text"))
        for image in self._images(asked):
            ask = partial(_one, partial(client.analyze_image, image, self._categories))
            found.append(((memory.key(self._image, image),), ask, "text"))
        return found

    def _document_batches(self, client: SafetyClient, asked: Asked) -> Iterable[_Batch]:
        keys = {piece: self._memory.key(self._document, piece) for piece in _all_pieces(asked.documents)}
        for known in (piece for piece, key in keys.items() if self._memory.get(key) is not None):
            yield (keys[known],), partial(client.shield, None, (known,)), "indirect_attack"
        for documents in pack(piece for piece, key in keys.items() if self._memory.get(key) is None):
            asking = tuple(keys[piece] for piece in documents)
            yield asking, partial(client.shield, None, documents), "indirect_attack"

    def _analysis(self) -> tuple[Sequence[str], str, Sequence[str]]:
        return self._categories, self.settings.output_type, self._blocklists

    async def _within_time(self, batches: list[_Batch]) -> Verdict:
        gate = asyncio.Semaphore(CONCURRENCY)
        verdicts: list[Verdict] = []
        tasks: set[asyncio.Task[Verdict]] = set()
        try:
            async with asyncio.timeout(self.settings.timeout):
                for keys, ask, kind in batches:
                    known = [self._memory.get(key) for key in keys]
                    scores = [each for each in known if each is not None]
                    if len(scores) < len(keys):
                        tasks.add(asyncio.create_task(self._ask(gate, keys, ask, kind)))
                    else:
                        verdicts += [self._judge(each, kind) for each in scores]
                if any(verdict.blocks for verdict in verdicts):
                    return worst(verdicts)
                return worst([*verdicts, *await _until_one_blocks(tasks)])
        except TimeoutError:
            raise ScreeningUnavailable("timeout") from None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, gate: asyncio.Semaphore, keys: tuple[Key, ...], ask: Ask, kind: str) -> Verdict:
        async with gate:
            return worst(self._judge(scores, kind) for scores in await self._memory.ask(keys, ask))

    def _judge(self, scores: Scores, kind: str) -> Verdict:
        if kind != "text":
            return Verdict((Finding(kind, scores.attack, detected=scores.attack),))
        findings = [
            Finding(KINDS[category], severity >= self.settings.categories[category], severity)  # type: ignore[index]
            for category, severity in scores.severities.items()
        ]
        if self._blocklists:
            findings.append(Finding("custom_blocklists", scores.listed, detected=scores.listed))
        return Verdict(tuple(findings))


async def _until_one_blocks(tasks: set[asyncio.Task[Verdict]]) -> list[Verdict]:
    """A violation that is found goes before a failure, whichever came first."""
    verdicts: list[Verdict] = []
    failure: BaseException | None = None
    waiting = set(tasks)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            failure = task.exception() or failure
            if task.exception() is None:
                verdicts.append(task.result())
        if any(verdict.blocks for verdict in verdicts):
            return verdicts
        if failure is not None:
            raise failure
    return verdicts


async def _one(ask: Callable[[], Awaitable[Scores]]) -> Sequence[Scores]:
    return [await ask()]


def _all_pieces(texts: Iterable[str]) -> Iterable[str]:
    pieces: dict[str, None] = {}
    for text in texts:
        for piece in cut(text):
            pieces[piece] = None
    return pieces
