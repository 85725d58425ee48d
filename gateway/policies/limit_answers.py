"""What callers are told of limits: the headers of every answer, and why one was refused.

The messages are API Management's, and `x-ratelimit-*` are the headers of OpenAI's own API.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.call import Header
from gateway.errors import GatewayError, PolicyError
from gateway.ledger.refusals import LimitReached
from gateway.policies.limit_rules import Kind, Rule

DAY, HOUR, MINUTE = 86_400, 3_600, 60


@dataclass(frozen=True, slots=True)
class Standing:
    """How a rule stands: what is left of its limit, and the seconds until all of it is."""

    rule: Rule
    left: int
    resets_in: float


def refused(rule: Rule, reached: LimitReached) -> GatewayError:
    """The error for a limit that a call does not fit into."""
    code, subject = REFUSALS[rule.kind]
    if reached.retry_after is None:
        return PolicyError(code, _never(rule, subject, reached))
    seconds = max(1, math.ceil(reached.retry_after))
    message = f"{subject} is exceeded. Try again in {duration(seconds)}."
    return PolicyError(code, message, headers={rule.retry_header: str(seconds)})


REFUSALS: dict[Kind, tuple[str, str]] = {
    "tokens": ("token_limit_exceeded", "Token limit"),
    "quota": ("token_quota_exceeded", "Token quota"),
    "calls": ("rate_limit_exceeded", "Rate limit"),
    "budget": ("budget_exceeded", "Budget"),
}


def _never(rule: Rule, subject: str, reached: LimitReached) -> str:
    charge = reached.charge
    if rule.kind == "budget":
        return f"{subject} is exceeded. This prompt alone costs more than the whole budget, so it can never pass."
    return (
        f"{subject} is exceeded. This request needs {charge.amount} tokens, more than the whole limit "
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


def headers_of(standings: Sequence[Standing], consumed: int) -> list[Header]:
    """What goes with every answer: OpenAI's headers for the limit that is nearest, and those named in the policies."""
    found: list[Header] = []
    for unit, kinds in (("tokens", ("tokens", "quota")), ("requests", ("calls",))):
        nearest = _nearest(standings, kinds)
        if nearest is not None:
            found += _openai(unit, nearest)
    for standing in standings:
        found += [_header(name, standing.left) for name in standing.rule.remaining_headers]
    names = dict.fromkeys(name for standing in standings for name in standing.rule.consumed_headers)
    return [*found, *(_header(name, consumed) for name in names)]


def _nearest(standings: Iterable[Standing], kinds: Sequence[str]) -> Standing | None:
    """The one of these kinds with the least left; a limit a minute rather than a quota."""
    for kind in kinds:
        of_kind = [standing for standing in standings if standing.rule.kind == kind]
        if of_kind:
            return min(of_kind, key=lambda standing: standing.left)
    return None


def _openai(unit: str, standing: Standing) -> list[Header]:
    return [
        _header(f"x-ratelimit-limit-{unit}", standing.rule.limit),
        _header(f"x-ratelimit-remaining-{unit}", standing.left),
        (f"x-ratelimit-reset-{unit}".encode(), _span(standing.resets_in).encode()),
    ]


def _span(seconds: float) -> str:
    """As OpenAI's API writes it: `120ms`, `7.5s`, `6m0s`, `1h0m12s`."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    if seconds < MINUTE:
        return f"{math.ceil(seconds * 1000) / 1000:g}s"
    minutes, rest = divmod(math.ceil(seconds), MINUTE)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"


def _header(name: str, value: int) -> Header:
    return name.lower().encode(), str(value).encode()
