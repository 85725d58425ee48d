"""What limits a call: the settings of the API, the product and the gateway, compiled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.catalog.loading import from_json
from gateway.catalog.models import Gateway, Product
from gateway.policies.limit_rules import Rule, rules_of
from tests.policies.test_admit import entry

TOKENS = {"counterKey": "subscription", "tokensPerMinute": 500, "estimatePromptTokens": True}


def product(**fields: Any) -> Product:
    found = from_json({"kind": "Product", "name": "starter", **fields})
    assert isinstance(found, Product)
    return found


def rules(product_fields: dict[str, Any] | None, gateway_fields: dict[str, Any], api: str = "") -> list[Rule]:
    """The rules of a call in a product's context, or in none."""
    gateway = from_json({"kind": "Gateway", **gateway_fields})
    assert isinstance(gateway, Gateway)
    limited = replace(entry(more=api), gateway=gateway)
    return list(rules_of(limited, None if product_fields is None else product(**product_fields)).each)


def test_all_of_them_apply() -> None:
    """Each with its own counter; a product's only to those who came in through it."""
    api = "rateLimit: {counterKey: ip, calls: 5}"
    gateway = {"budget": {"counterKey": "everybody", "usd": 1.5, "period": "Daily"}}
    names = [(rule.written_key, rule.meter.name, rule.limit) for rule in rules({"tokenLimit": TOKENS}, gateway, api)]
    assert names == [
        ("ip", "calls/60s", 5),
        ("subscription", "tokens/60s", 500),
        ("everybody", "usd/Daily", 1_500_000_000),
    ]
    assert len(rules(None, gateway, api)) == 2


def test_the_same_counter_is_charged_once() -> None:
    """By the lower limit, and with what is stricter of everything else."""
    strict = {**TOKENS, "tokensPerMinute": 300, "onUnavailable": "deny", "remainingTokensHeaderName": "X-Left"}
    (rule,) = rules({"tokenLimit": {**TOKENS, "remainingTokensHeaderName": "x-more"}}, {"tokenLimit": strict})
    assert (rule.limit, rule.deny) == (300, True)
    assert rule.remaining_headers == (b"x-more", b"x-left")


def test_the_case_of_a_header_makes_no_other_counter() -> None:
    """It makes none in HTTP either."""
    one, other = ({**TOKENS, "counterKey": f"header:{name}"} for name in ("X-Team", "x-team"))
    assert len(rules({"tokenLimit": one}, {"tokenLimit": other})) == 1


def test_two_windows_are_two_counts() -> None:
    """Of one policy: a minute and a period; the minute is what callers are told of."""
    both = {**TOKENS, "tokenQuota": 9000, "tokenQuotaPeriod": "Weekly"}
    found = rules({"tokenLimit": both}, {})
    assert [(rule.kind, rule.meter.name, rule.is_told) for rule in found] == [
        ("tokens", "tokens/60s", True),
        ("quota", "tokens/Weekly", False),
    ]


def test_the_smallest_budget_is_still_one() -> None:
    """A billionth of a dollar and a half is one: rounded down to nothing it would refuse everything for ever."""
    for dollars in (1e-9, 1.5e-9):
        (rule,) = rules({"budget": {"counterKey": "ip", "usd": dollars, "period": "Daily"}}, {})
        assert rule.limit == 1
