"""screen: have Azure AI Content Safety look at what the caller sends; what is not clean gets no answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.cache.rarely import Rarely
from gateway.call import Call, Outcome, Reply, SafetyNote, close_body
from gateway.errors import CallerError, GatewayError
from gateway.policies.screen_answers import screened
from gateway.safety.answers.replies import screened_reply
from gateway.safety.answers.screening import AnswerScreening
from gateway.safety.asked import Asked
from gateway.safety.judging import judge
from gateway.safety.refusal import mark, violation
from gateway.safety.screener import Screener
from gateway.safety.screeners import Screeners
from gateway.safety.texts import asked_of
from gateway.safety.verdict import Verdict

if TYPE_CHECKING:
    from gateway.catalog.models import Product
    from gateway.catalog.snapshot import ApiEntry
    from gateway.pipeline import Next

WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})

log = logging.getLogger("gateway.safety")

_Compiled = tuple[tuple[Screener, ...], AnswerScreening | None]


class Screen:
    """Sets `call.safety` and, where the service must be asked, `call.screening`, which the inner policies wait for."""

    def __init__(self, entry: ApiEntry, screeners: Screeners) -> None:
        self._entry = entry
        self._screeners = screeners
        self._rarely = Rarely(log)
        self._compiled: dict[str | None, _Compiled] = {}

    async def __call__(self, call: Call, next: Next) -> Reply:
        screeners, answers = self._of(call.caller.product)
        call.answer_screening = answers
        if screeners and call.method not in WITHOUT_BODY:
            call.safety = SafetyNote("known")
            self._begin(call, screeners)
        reply = await (next(call) if call.screening is None else _answered(call, call.screening, next))
        if answers is not None and _is_from_before(call, answers):
            reply = await _screened_again(call, reply, answers)
        if call.safety is not None and call.safety.status == "unavailable":
            mark(reply)
        return reply

    def _begin(self, call: Call, screeners: Sequence[Screener]) -> None:
        unknown = self._unknown(call, screeners)
        if unknown:
            call.screening = asyncio.create_task(self._screen(call, unknown))
            call.screening.add_done_callback(_retrieve)
            call.on_end(_cancel)

    def _of(self, product: Product | None) -> _Compiled:
        name = product.name if product else None
        compiled = self._compiled.get(name)
        if compiled is None:
            screeners = tuple(map(self._screeners.of, self._entry.screenings.holding(product)))
            compiled = screeners, AnswerScreening.of(screeners, self._entry.api.name)
            self._compiled[name] = compiled
        return compiled

    def _unknown(self, call: Call, screeners: Sequence[Screener]) -> list[tuple[Screener, Asked]]:
        """Whom to ask, and what. Raises for what is known, or known never to be."""
        unknown = []
        for screener in screeners:
            asked = _asked(call, screener)
            if asked.unreadable:
                self._not_readable(call, screener)
            verdict = screener.known(asked)
            if verdict is None:
                unknown.append((screener, asked))
            elif verdict.blocks:
                raise _blocked(call, verdict, screener)
        return unknown

    def _not_readable(self, call: Call, screener: Screener) -> None:
        _note(call).worsen("unavailable")
        if screener.settings.on_error == "block":
            raise CallerError("InvalidBody", "The body cannot be screened: send its texts as text in a JSON object.")
        self._tell("not-text")

    async def _screen(self, call: Call, unknown: Sequence[tuple[Screener, Asked]]) -> None:
        await judge(unknown, _note(call), self._tell)

    def _tell(self, reason: str) -> None:
        self._rarely.warn("a request to %s could not be screened: %s", self._entry.api.name, reason)


async def _answered(call: Call, screening: asyncio.Task[None], next: Next) -> Reply:
    """The answer, when the request is known to be clean, however early it comes."""
    try:
        reply = await next(call)
    except GatewayError:
        # What is wrong with the request goes before what came of it.
        await screened(screening)
        raise
    except BaseException:
        screening.cancel()
        raise
    try:
        await screened(screening)
    except BaseException:
        call.outcome.cached = False
        if not isinstance(reply.body, bytes):
            await close_body(reply.body)
        raise
    return reply


def _is_from_before(call: Call, answers: AnswerScreening) -> bool:
    """Whether the answer comes from the cache, and was screened by other settings or not at all."""
    return call.outcome.cached and (call.cache is None or call.cache.stamp != answers.stamp)


async def _screened_again(call: Call, reply: Reply, answers: AnswerScreening) -> Reply:
    try:
        return await screened_reply(call, reply, answers)
    except GatewayError:
        call.outcome.cached = False
        raise


def _asked(call: Call, screener: Screener) -> Asked:
    if call.document is not None:
        return asked_of(call.document, call.protocol, screener.settings.text_pointers)
    has_body = call.content or not call.body.is_complete()
    return Asked(unreadable=bool(has_body))


def _blocked(call: Call, verdict: Verdict, screener: Screener) -> GatewayError:
    _note(call).worsen("blocked")
    return violation(verdict, screener.settings.reveal)


def _note(call: Call) -> SafetyNote:
    if call.safety is None:
        call.safety = SafetyNote()
    return call.safety


def _cancel(call: Call, outcome: Outcome) -> None:
    if call.screening is not None:
        call.screening.cancel()


def _retrieve(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
