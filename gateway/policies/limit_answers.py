"""What callers are told of limits: the headers of every answer, and why one was refused.

The messages are API Management's, and `x-ratelimit-*` are the headers of OpenAI's own API.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from types import MappingProxyType

from gateway.call import Header
from gateway.errors import GatewayError, PolicyError
from gateway.ledger.refusals import LimitReached
from gateway.policies.limit_rules import Kind, Rule

DAY, HOUR, MINUTE = 86_400, 3_600, 60


# How a rule stands: what is left of its limit, and in how many seconds all of it will be. One is made at every call, so
# it is a plain tuple.
Standing = tuple[Rule, int, float]


def refused(rule: Rule, reached: LimitReached) -> GatewayError:
    """The error for a limit that a call does not fit into."""
    code, subject = REFUSALS[rule.kind]
    if reached.retry_after is None:
        # No period has room for it, so it is the limit that is too small, not the quota that is used up.
        code = "token_limit_exceeded" if rule.kind == "quota" else code
        return PolicyError(code, _never(rule, subject, reached), headers=NO_RETRY)
    seconds = max(1, math.ceil(reached.retry_after))
    message = f"{subject} is exceeded. Try again in {duration(seconds)}."
    return PolicyError(code, message, headers={rule.retry_header: str(seconds)})


# OpenAI's and Anthropic's SDKs try again after a 429 unless they are told.
NO_RETRY = MappingProxyType({"x-should-retry": "false"})

REFUSALS: dict[Kind, tuple[str, str]] = {
    "tokens": ("token_limit_exceeded", "Token limit"),
    "quota": ("token_quota_exceeded", "Token quota"),
    "calls": ("rate_limit_exceeded", "Rate limit"),
    "budget": ("budget_exceeded", "Budget"),
}


def _never(rule: Rule, subject: str, reached: LimitReached) -> str:
    charge, whole = reached.charge, "quota" if rule.kind == "quota" else "limit"
    if rule.kind == "budget":
        return f"{subject} is exceeded. This prompt alone costs more than the whole budget, so it can never pass."
    return (
        f"{subject} is exceeded. This request needs {charge.amount} tokens, more than the whole {whole} "
        f"of {charge.limit}, so it can never pass."
    )


def duration(seconds: int) -> str:
    """In words: `53 seconds`, `21 minutes and 33 seconds`, `2 days, 1 hour and 5 minutes`."""
    parts = []
    for length, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (1, "second")):
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def headers_of(standings: Iterable[Standing]) -> list[Header]:
    """What is left: OpenAI's headers for the limit that is nearest, and those that the policies name."""
    found: list[Header] = []
    tokens: Standing | None = None
    calls: Standing | None = None
    for standing in standings:
        rule, left, _ = standing
        if rule.kind == "calls":
            calls = standing if calls is None else min(calls, standing, key=_nearness)
        else:
            tokens = standing if tokens is None else min(tokens, standing, key=_nearness)
        found += [(name, b"%d" % left) for name in rule.remaining_headers]
    if tokens is not None:
        found += _standing_headers(TOKENS, tokens)
    if calls is not None:
        found += _standing_headers(CALLS, calls)
    return found


TOKENS = (b"x-ratelimit-limit-tokens", b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens")
CALLS = (b"x-ratelimit-limit-requests", b"x-ratelimit-remaining-requests", b"x-ratelimit-reset-requests")


def _standing_headers(names: tuple[bytes, bytes, bytes], standing: Standing) -> tuple[Header, ...]:
    limit, remaining, reset = names
    rule, left, resets_in = standing
    return ((limit, b"%d" % rule.limit), (remaining, b"%d" % left), (reset, _span(resets_in)))


def _nearness(standing: Standing) -> tuple[bool, int]:
    """A limit a minute is told rather than a quota; of several the one with the least left."""
    rule, left, _ = standing
    return rule.kind == "quota", left


def _span(seconds: float) -> bytes:
    """As OpenAI's API writes it: `120ms`, `7.5s`, `6m0s`, `1h0m12s`."""
    if seconds < 1:
        return b"%dms" % math.ceil(seconds * 1000)
    if seconds < MINUTE:
        return b"%gs" % (math.ceil(seconds * 1000) / 1000)
    return _long_span(math.ceil(seconds))


@lru_cache(maxsize=1_024)
def _long_span(seconds: int) -> bytes:
    minutes, rest = divmod(seconds, MINUTE)
    hours, minutes = divmod(minutes, 60)
    return b"%dh%dm%ds" % (hours, minutes, rest) if hours else b"%dm%ds" % (minutes, rest)
