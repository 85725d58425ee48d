"""THE order of the policies. It is a security property, so it is code, in one place, and has a test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from gateway.call import Call, Reply
from gateway.catalog.snapshot import ApiEntry
from gateway.policies.admit import Admit
from gateway.policies.cache import Cache
from gateway.policies.forward import Forward
from gateway.policies.limit import Limit, has_limits
from gateway.policies.measure import Measure
from gateway.policies.operate import Operate
from gateway.policies.record import Record
from gateway.policies.screen import Screen
from gateway.policies.screen_answers import ScreenAnswers
from gateway.services import Services

Next = Callable[[Call], Awaitable[Reply]]


class Policy(Protocol):
    """Does one thing, then calls `next` once, or refuses by raising a GatewayError."""

    async def __call__(self, call: Call, next: Next) -> Reply: ...


def policies(entry: ApiEntry, services: Services) -> Sequence[Policy]:
    """The policies of one API, outermost first. One without settings for this API is not in the list."""
    limits = [Limit(entry, services.ledger, services.tokenizer, services.drains)] if has_limits(entry) else []
    caches = [Cache(entry, services.cache)] if entry.caches.all() else []
    is_screened = bool(entry.screenings.all())
    screens = [Screen(entry, services.screeners)] if is_screened else []
    screens_answers = [ScreenAnswers()] if is_screened else []
    return [
        Record(services.recorders),
        Admit(entry, services.key_cache, services.clock, services.function_auth),
        Operate(
            entry,
            reads_passthrough=bool(limits or caches or screens),
            reads_all=is_screened,
            tell=limits[0].tell if limits else None,
        ),
        *limits,
        *screens,
        *caches,
        *screens_answers,
        Measure(entry, services.tokenizer),
        Forward(entry, services.backend_client),
    ]


def compile_chain(chain: Sequence[Policy]) -> Next:
    """One function for the whole list: each policy is handed the rest of it as `next`."""
    run: Next = _end_of_chain
    for policy in reversed(chain):
        run = partial(policy.__call__, next=run)
    return run


async def _end_of_chain(call: Call) -> Reply:
    raise RuntimeError("the innermost policy called next; it must answer")
