"""What limits the calls to one API, compiled: the settings of the gateway, the product and the API all apply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from gateway.catalog.counter_keys import KeyPart, parse_counter_key
from gateway.catalog.limits import Budget, RateLimit, TokenLimit
from gateway.catalog.models import Product
from gateway.catalog.snapshot import ApiEntry
from gateway.ledger.meters import Calendar, Meter, Sliding
from gateway.policies.counter_keys import CounterKey, counter_key

Kind = Literal["tokens", "quota", "calls", "budget"]

MINUTE = 60
NANO_DOLLARS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Rule:
    """One limit on one meter. Two on the same counter and meter are one, with the lower limit."""

    kind: Kind
    written_key: str
    key: CounterKey
    meter: Meter
    limit: int
    deny: bool
    estimates: bool = False
    reserves_completion: bool = False
    retry_header: str = "Retry-After"
    # In lower case, as they are sent.
    remaining_headers: tuple[bytes, ...] = ()
    consumed_headers: tuple[bytes, ...] = ()
    stops: bool = False
    drains: bool = False
    # Whether callers are told what is left of it.
    is_told: bool = True


class Rules:
    """All rules for one kind of call, and what they come to."""

    __slots__ = ("consumed_headers", "count_tokens", "drain", "each", "have_budget", "need_prompt", "stop", "told")

    def __init__(self, each: Iterable[Rule]) -> None:
        self.each = tuple(each)
        self.told = tuple(place for place, rule in enumerate(self.each) if rule.is_told)
        self.need_prompt = any(rule.estimates or rule.kind == "budget" for rule in self.each)
        self.count_tokens = any(rule.kind != "calls" for rule in self.each)
        self.have_budget = any(rule.kind == "budget" for rule in self.each)
        self.stop = any(rule.stops for rule in self.each)
        self.drain = any(rule.drains for rule in self.each)
        self.consumed_headers = tuple(dict.fromkeys(name for rule in self.each for name in rule.consumed_headers))

    def of_calls(self) -> Rules:
        """Those that count calls, whatever these cost."""
        return Rules(rule for rule in self.each if rule.kind == "calls")


def rules_of(entry: ApiEntry, product: Product | None) -> Rules:
    """The rules for calls to an API in a product's context, or in none."""
    found: dict[tuple[tuple[KeyPart, ...], Meter], Rule] = {}
    for rule in _written(entry, product):
        # Parsed, because the case of a header's name makes no difference.
        place = (parse_counter_key(rule.written_key), rule.meter)
        found[place] = _both(found[place], rule) if place in found else rule
    has_tokens = any(rule.kind == "tokens" for rule in found.values())
    return Rules(replace(rule, is_told=_is_told(rule, has_tokens)) for rule in found.values())


def _is_told(rule: Rule, has_tokens: bool) -> bool:
    """Money is nobody's business; a limit a minute is told rather than a quota, unless the policy names a header."""
    return rule.kind in ("tokens", "calls") or bool(rule.remaining_headers) or (rule.kind == "quota" and not has_tokens)


def _written(entry: ApiEntry, product: Product | None) -> Iterator[Rule]:
    for holder in (entry.api, product, entry.gateway):
        if holder is not None:
            for token_limit in holder.token_limit:
                yield from _token_rules(token_limit)
            yield from (_rate_rule(rate_limit) for rate_limit in holder.rate_limit)
            yield from (_budget_rule(budget) for budget in holder.budget)


def _token_rules(written: TokenLimit) -> Iterator[Rule]:
    windows: Iterable[tuple[Kind, Sliding | Calendar, int | None, str | None]] = (
        ("tokens", Sliding(MINUTE), written.tokens_per_minute, written.remaining_tokens_header_name),
        (
            "quota",
            Calendar(written.token_quota_period or "Monthly"),
            written.token_quota,
            written.remaining_quota_tokens_header_name,
        ),
    )
    for kind, window, limit, remaining in windows:
        if limit is not None:
            yield Rule(
                kind,
                written.counter_key,
                counter_key(written.counter_key),
                Meter("tokens", window),
                limit,
                written.on_unavailable == "deny",
                estimates=written.estimate_prompt_tokens,
                reserves_completion=written.reserve == "prompt+max_tokens",
                retry_header=written.retry_after_header_name,
                remaining_headers=_names(remaining),
                consumed_headers=_names(written.tokens_consumed_header_name),
                drains=written.on_disconnect == "drain",
            )


def _rate_rule(written: RateLimit) -> Rule:
    return Rule(
        "calls",
        written.counter_key,
        counter_key(written.counter_key),
        Meter("calls", Sliding(written.renewal_period)),
        written.calls,
        written.on_unavailable == "deny",
        retry_header=written.retry_after_header_name,
    )


def _budget_rule(written: Budget) -> Rule:
    return Rule(
        "budget",
        written.counter_key,
        counter_key(written.counter_key),
        Meter("usd", Calendar(written.period)),
        max(1, int(Decimal(str(written.usd)) * NANO_DOLLARS)),
        written.on_unavailable == "deny",
        stops=written.on_exceeded == "stop",
    )


def _both(one: Rule, other: Rule) -> Rule:
    """What holds where two rules count the same: the stricter of each."""
    return Rule(
        one.kind,
        one.written_key,
        one.key,
        one.meter,
        min(one.limit, other.limit),
        one.deny or other.deny,
        estimates=one.estimates or other.estimates,
        reserves_completion=one.reserves_completion or other.reserves_completion,
        retry_header=one.retry_header,
        remaining_headers=_united(one.remaining_headers, other.remaining_headers),
        consumed_headers=_united(one.consumed_headers, other.consumed_headers),
        stops=one.stops or other.stops,
        drains=one.drains or other.drains,
    )


def _names(name: str | None) -> tuple[bytes, ...]:
    return (name.lower().encode(),) if name else ()


def _united(one: tuple[bytes, ...], other: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys((*one, *other)))
