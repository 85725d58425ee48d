"""Takes an answer as it passes, and has it kept when it is over, if it is one for others too."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from gateway.cache.answers.collect import LARGEST_BYTES, Collector
from gateway.cache.answers.not_kept import NotKept
from gateway.cache.entry import Entry, new_id
from gateway.cache.guard import fingerprint
from gateway.cache.guarding.fingerprint import Fingerprint
from gateway.cache.question import Question
from gateway.cache.service import AnswerCache
from gateway.call import Call, Reply, first_value, is_compressed
from gateway.llm.model_names import shown_model
from gateway.policies.cache_rules import CacheRules
from gateway.storage.limits import EntityTooLarge

if TYPE_CHECKING:
    from gateway.cache.axes import Vector

log = logging.getLogger("gateway.cache")


class Keeper:
    """For `Flights`: fed with the answer of one call to the backend, once `begin` has seen its head.

    `reason` says why the answer will not be kept, if that is known by then. `vector` is the text's, if there is one;
    `late` finds it when the answer is over, where that could not be done before.
    """

    def __init__(self, cache: AnswerCache, rules: CacheRules, call: Call, question: Question) -> None:
        self.reason: str | None = None
        self.vector: Vector | None = None
        self.late: Callable[[], Awaitable[Vector | None]] | None = None
        self._cache = cache
        self._rules = rules
        self._question = question
        self._subscription = call.caller.subscription or ""
        self._model = shown_model(call) or ""
        self._protocol = call.protocol
        self._stamp = call.answer_screening.stamp if call.answer_screening is not None else ""
        self._safety = call.safety
        self._collector: Collector | None = None
        self._are_events = False
        self._fingerprint: Fingerprint | None = None

    def fingerprint(self) -> Fingerprint:
        """What the guard keeps of the text. Only those of one scope can be compared."""
        if self._fingerprint is None:
            self._fingerprint = fingerprint(self._question.text, self._question.scope.encode())
        return self._fingerprint

    def begin(self, reply: Reply) -> None:
        """An answer begins that may be kept: a good one, as far as its head tells."""
        length = first_value(reply.headers, b"content-length") or b""
        if reply.status != 200 or self._protocol is None:
            self.reason = "error"
        elif is_compressed(reply.headers):
            self.reason = "unreadable"
        elif length.isdigit() and int(length) > LARGEST_BYTES:
            self.reason = "too-large"
        else:
            self._are_events = reply.is_event_stream
            self._collector = Collector(self._protocol)

    def on_piece(self, piece: bytes) -> None:
        """The next piece."""
        if self._collector is not None:
            if self._are_events:
                self._collector.feed_events(piece)
            else:
                self._collector.whole(piece)

    def on_end(self, complete: bool) -> None:
        """There are no more. A stream may be whole although its last reader left before the connection's end."""
        collector, self._collector = self._collector, None
        if collector is None or not (complete or self._are_events):
            return
        try:
            answer = collector.finish(self._rules.settings.cache_tool_calls).to_bytes()
        except NotKept as refused:
            log.debug("an answer is not kept: %s", refused.reason)
            return
        if self.late is None:
            self._keep(answer)
        else:
            self._cache.later(self._keep_late(answer, self.late))

    async def _keep_late(self, answer: bytes, late: Callable[[], Awaitable[Vector | None]]) -> None:
        self.vector = await late()
        self._keep(answer)

    def _keep(self, answer: bytes) -> None:
        try:
            self._cache.entries.keep(self._entry(), self.vector, self._rules.kind, answer, self._model)
        except EntityTooLarge:
            log.debug("an answer is not kept: it is larger than a row of the table")

    def _entry(self) -> Entry:
        question, settings, moment = self._question, self._rules.settings, self._cache.now()
        return Entry(
            id=new_id(moment),
            scope=question.scope,
            context=question.context,
            exact=question.exact,
            fingerprint=self.fingerprint().to_bytes() if self.vector is not None else b"",
            created=moment,
            expires=moment + settings.duration,
            api=self._rules.api,
            subscription=self._subscription,
            prompt=question.text if settings.store_prompts else "",
            stamp="" if self._is_unscreened() else self._stamp,
        )

    def _is_unscreened(self) -> bool:
        return self._safety is not None and self._safety.status == "unavailable"
