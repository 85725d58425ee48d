"""screen: have Azure AI Content Safety look at what the caller sends; what is not clean gets no answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.cache.rarely import Rarely
from gateway.call import Call, Outcome, Reply, SafetyNote, close_body
from gateway.errors import CallerError, GatewayError
from gateway.policies.screen_answers import screened
from gateway.safety.asked import Asked
from gateway.safety.refusal import unavailable, violation
from gateway.safety.screener import Screener
from gateway.safety.screeners import Screeners
from gateway.safety.texts import asked_of
from gateway.safety.verdict import ScreeningUnavailable, Verdict

if TYPE_CHECKING:
    from gateway.catalog.models import Product
    from gateway.catalog.snapshot import ApiEntry
    from gateway.pipeline import Next

WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
UNAVAILABLE_HEADER = (b"x-content-safety", b"unavailable")

log = logging.getLogger("gateway.safety")


class Screen:
    """Sets `call.safety` and, where the service must be asked, `call.screening`, which the inner policies wait for."""

    def __init__(self, entry: ApiEntry, screeners: Screeners) -> None:
        self._entry = entry
        self._screeners = screeners
        self._rarely = Rarely(log)
        self._compiled: dict[str | None, tuple[Screener, ...]] = {}

    async def __call__(self, call: Call, next: Next) -> Reply:
        screeners = self._of(call.caller.product)
        if not screeners or call.method in WITHOUT_BODY:
            return await next(call)
        call.safety = SafetyNote("known")
        self._begin(call, screeners)
        reply = await _answered(call, next)
        if call.safety.status == "unavailable":
            reply.headers = [*reply.headers, UNAVAILABLE_HEADER]
        return reply

    def _begin(self, call: Call, screeners: Sequence[Screener]) -> None:
        unknown = self._unknown(call, screeners)
        if unknown:
            call.screening = asyncio.create_task(self._screen(call, unknown))
            call.screening.add_done_callback(_retrieve)
            call.on_end(_cancel)

    def _of(self, product: Product | None) -> tuple[Screener, ...]:
        name = product.name if product else None
        screeners = self._compiled.get(name)
        if screeners is None:
            screeners = tuple(map(self._screeners.of, self._entry.screenings.holding(product)))
            self._compiled[name] = screeners
        return screeners

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
        if screener.settings.on_error == "block":
            _note(call).status = "unavailable"
            raise CallerError("InvalidBody", "The body cannot be screened: send its texts as text in a JSON object.")
        self._pass(call, "not-text")

    async def _screen(self, call: Call, unknown: Sequence[tuple[Screener, Asked]]) -> None:
        """All at the same time; a violation goes before a failure."""
        note = _note(call)
        if note.status == "known":
            note.status = "clean"
        started = time.perf_counter()
        try:
            found = await asyncio.gather(*(_ask(screener, asked) for screener, asked in unknown))
        finally:
            note.seconds = time.perf_counter() - started
        for (screener, _), verdict in zip(unknown, found, strict=True):
            if isinstance(verdict, Verdict) and verdict.blocks:
                raise _blocked(call, verdict, screener)
        for (screener, _), failed in zip(unknown, found, strict=True):
            if isinstance(failed, ScreeningUnavailable):
                self._pass(call, failed.reason)
                if screener.settings.on_error == "block":
                    raise unavailable()

    def _pass(self, call: Call, reason: str) -> None:
        _note(call).status = "unavailable"
        self._rarely.warn("a request to %s could not be screened: %s", self._entry.api.name, reason)


async def _answered(call: Call, next: Next) -> Reply:
    """The answer, when the request is known to be clean, however early it comes."""
    screening = call.screening
    if screening is None:
        return await next(call)
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


async def _ask(screener: Screener, asked: Asked) -> Verdict | ScreeningUnavailable:
    try:
        return await screener.screen(asked)
    except ScreeningUnavailable as failed:
        return failed
    except Exception:
        # A fault of our own is no reason to let anything through.
        log.exception("a screening failed")
        return ScreeningUnavailable("error")


def _asked(call: Call, screener: Screener) -> Asked:
    if call.document is not None:
        return asked_of(call.document, call.protocol, screener.settings.text_pointers)
    has_body = call.content or not call.body.is_complete()
    return Asked(unreadable=bool(has_body))


def _blocked(call: Call, verdict: Verdict, screener: Screener) -> GatewayError:
    _note(call).status = "blocked"
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
