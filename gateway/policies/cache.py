"""cache: answer from what was answered before, or have what the backend answers kept."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from gateway.cache.flights import FlightFailed
from gateway.cache.question import Bypass
from gateway.cache.service import AnswerCache
from gateway.cache.wish import wish_of
from gateway.call import CacheNote, Call, Reply
from gateway.errors import CallerError
from gateway.policies.cache_lookup import Lookup
from gateway.policies.cache_rules import CacheRules

if TYPE_CHECKING:
    from gateway.catalog.models import Product
    from gateway.catalog.snapshot import ApiEntry
    from gateway.pipeline import Next

log = logging.getLogger("gateway.cache")

# What backends, and networks before them, say of caches of their own would be taken for ours.
OWN_HEADERS = frozenset({b"x-cache", b"x-cache-id", b"x-cache-distance"})


class Cache:
    """Sets `call.cache`, which says in the log, and to the caller in `x-cache`, what has come of it.

    An answer from the cache costs nothing, for nobody measures it.
    """

    def __init__(self, entry: ApiEntry, cache: AnswerCache) -> None:
        self._entry = entry
        self._cache = cache
        self._compiled: dict[str | None, CacheRules | None] = {}

    async def __call__(self, call: Call, next: Next) -> Reply:
        rules = self._rules(call.caller.product)
        if rules is None:
            return await next(call)
        wish = wish_of(call.headers)
        try:
            if not (wish.looks_up or wish.keeps):
                raise Bypass("no-store")
            lookup = Lookup(self._cache, rules, call, rules.question(call), wish)
        except Bypass as bypass:
            call.cache = CacheNote(f"BYPASS; {bypass.reason}")
            reply = _without_own(await next(call))
        else:
            call.cache = lookup.note
            reply = await self._answer(call, lookup, next)
        reply.headers += call.cache.headers()
        return reply

    def _rules(self, product: Product | None) -> CacheRules | None:
        name = product.name if product else None
        if name not in self._compiled:
            self._compiled[name] = CacheRules.of(self._entry, product, self._cache)
        return self._compiled[name]

    async def _answer(self, call: Call, lookup: Lookup, next: Next) -> Reply:
        reply = await _looked_up(lookup, lookup.exact)
        if reply is not None:
            return reply
        participant = self._cache.flights.join(lookup.flight_key)
        if participant is not None:
            try:
                return lookup.shared(await participant.reply())
            except FlightFailed:
                # Each tries once by itself. Together again they could all fail together.
                return _without_own(await next(call))
        fetch = partial(_fetch, call, lookup, next)
        return await self._cache.flights.begin(lookup.flight_key, fetch, lookup.keeper).reply()


async def _fetch(call: Call, lookup: Lookup, next: Next) -> Reply:
    """What the first one does for all who ask the same meanwhile."""
    reply = await _looked_up(lookup, lookup.by_meaning)
    if reply is not None:
        return reply
    if call.content is None:
        # The caller has left, and the request with it, before the backend was asked. Others ask by themselves.
        raise CallerError("CallerDisconnected")
    reply = _without_own(await next(call))
    lookup.keep(reply)
    return reply


async def _looked_up(lookup: Lookup, look: Callable[[], Awaitable[Reply | None]]) -> Reply | None:
    """A look-up that fails is a miss, whatever the reason: there is always the backend to ask."""
    try:
        return await look()
    except Exception:
        log.exception("a look-up in the cache failed")
        lookup.note.status = "MISS; error"
        return None


def _without_own(reply: Reply) -> Reply:
    reply.headers = [pair for pair in reply.headers if pair[0] not in OWN_HEADERS]
    return reply
