"""Limits, budgets, prices and token metrics as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.catalog.limits import DimensionSource, KeyPart, parse_counter_key, parse_dimension
from gateway.catalog.loading import from_json
from gateway.catalog.models import Api
from gateway.catalog.secrets import SecretBox
from gateway.catalog.snapshot import Snapshot
from gateway.catalog.validation import check_catalog
from gateway.errors import CatalogError

API = {"kind": "Api", "name": "a", "path": "a", "type": "openai", "backend": {"url": "http://x/v1"}}
TOKENS = {"counterKey": "subscription", "tokensPerMinute": 5, "estimatePromptTokens": True}
CALLS = {"counterKey": "ip", "calls": 3}
MONEY = {"counterKey": "subscription", "usd": 50, "period": "Monthly"}


def api(**fields: Any) -> Api:
    document = from_json({**API, **fields})
    assert isinstance(document, Api)
    return document


ROUND_TRIPS: dict[str, dict[str, Any]] = {
    "one token limit": {"tokenLimit": TOKENS},
    "several": {"tokenLimit": [TOKENS, {**TOKENS, "counterKey": "model"}]},
    "a quota alone": {
        "tokenLimit": {
            "counterKey": "everybody",
            "tokenQuota": 9,
            "tokenQuotaPeriod": "Weekly",
            "estimatePromptTokens": False,
            "reserve": "prompt+max_tokens",
            "retryAfterHeaderName": "x-wait",
        }
    },
    "a rate limit": {"rateLimit": {**CALLS, "renewalPeriod": 3600}},
    "a budget": {"budget": {**MONEY, "usd": 0.5, "onExceeded": "finish"}, "prices": {"*": {"input": 2.5}}},
    "prices": {"prices": {"gpt-4o": {"input": 2.5, "cachedInput": 1.25, "output": 10}}},
    "metrics": {"tokenMetrics": {"namespace": "n", "dimensions": {"API ID": None, "Team": "header:x-team"}}},
}


@pytest.mark.parametrize("fields", ROUND_TRIPS.values(), ids=ROUND_TRIPS.keys())
def test_round_trips(fields: dict[str, Any]) -> None:
    """What was written is exported as it was, and read back the same."""
    written = api(**fields)
    exported = written.to_json()
    assert {name: exported[name] for name in fields} == fields
    assert from_json(exported) == written


def test_a_list_of_one_is_that_one() -> None:
    """Both ways of writing it mean the same."""
    assert api(tokenLimit=[TOKENS]) == api(tokenLimit=TOKENS)


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "nothing limited": (
        {"tokenLimit": {"counterKey": "ip", "estimatePromptTokens": True}},
        "tokenLimit[0]: must have tokensPerMinute, tokenQuota or both",
    ),
    "no word on estimates": ({"tokenLimit": {"counterKey": "ip", "tokensPerMinute": 5}}, "is required"),
    "a quota without a period": (
        {"tokenLimit": {**TOKENS, "tokenQuota": 5}},
        "must have tokenQuota and tokenQuotaPeriod together",
    ),
    "a period without a quota": (
        {"tokenLimit": {**TOKENS, "tokenQuotaPeriod": "Daily"}},
        "must have tokenQuota and tokenQuotaPeriod together",
    ),
    "another period": (
        {"budget": {**MONEY, "period": "monthly"}},
        'budget[0].period: must be "Hourly", "Daily", "Weekly", "Monthly" or "Yearly"',
    ),
    "none allowed": ({"tokenLimit": {**TOKENS, "tokensPerMinute": 0}}, "tokensPerMinute: must be at least 1"),
    "text for a number": ({"tokenLimit": {**TOKENS, "tokensPerMinute": "5"}}, "must be a whole number"),
    "true for a number": ({"rateLimit": {**CALLS, "calls": True}}, "must be a whole number"),
    "no money": ({"budget": {**MONEY, "usd": 0}}, "budget[0].usd: must be greater than 0"),
    "a negative price": ({"prices": {"m": {"input": -1}}}, "prices.m.input: must be at least 0"),
    "a field that is none": ({"rateLimit": {**CALLS, "call": 3}}, 'unknown field "call"; did you mean "calls"?'),
    "too long a period": ({"rateLimit": {**CALLS, "renewalPeriod": 90_000}}, "must be at most 86400"),
    "twice the same": ({"rateLimit": [CALLS, CALLS]}, "rateLimit: must not limit ip 60 s more than once"),
    "twice the same minute": ({"tokenLimit": [TOKENS, TOKENS]}, "must not limit subscription more than once"),
    "too many": (
        {"rateLimit": [{**CALLS, "counterKey": f"k{number}"} for number in range(11)]},
        "rateLimit: must be at most 10 entries",
    ),
    "no object": ({"tokenLimit": 5}, "tokenLimit: must be a list"),
    "two meanings of a header": (
        {"tokenLimit": {**TOKENS, "remainingTokensHeaderName": "X-A", "tokensConsumedHeaderName": "x-a"}},
        "must not give the header x-a two meanings",
    ),
    "a header of the gateway's own": (
        {"tokenLimit": {**TOKENS, "remainingTokensHeaderName": "x-ratelimit-remaining-tokens"}},
        "which has a meaning of its own",
    ),
    "a header that frames": ({"tokenLimit": {**TOKENS, "retryAfterHeaderName": "Host"}}, "which HTTP itself uses"),
    "a key of nothing": ({"rateLimit": {**CALLS, "counterKey": ""}}, "counterKey: must be subscription, product"),
    "a key with spaces": ({"rateLimit": {**CALLS, "counterKey": "a b"}}, "counterKey: must be subscription, product"),
    "a header without a name": (
        {"rateLimit": {**CALLS, "counterKey": "header:"}},
        'must name a header behind "header:", as in "header:x-team"',
    ),
    "a user without a header": (
        {"rateLimit": {**CALLS, "counterKey": "ip+user"}},
        'must say which header "user" means, as in "user:x-team"',
    ),
    "a part twice": ({"rateLimit": {**CALLS, "counterKey": "ip+ip"}}, "must not name the same thing more than once"),
    "eleven dimensions": (
        {"tokenMetrics": {"dimensions": {f"d{number}": "x" for number in range(11)}}},
        "must be at most 10 dimensions",
    ),
    "a dimension without a value": (
        {"tokenMetrics": {"dimensions": {"Team": None}}},
        'must give "Team" a value; it may be left out for API ID',
    ),
    "a dimension of a header without a name": (
        {"tokenMetrics": {"dimensions": {"Team": "header:"}}},
        'must name a header behind "header:" for "Team"',
    ),
    "a dimension over two lines": ({"tokenMetrics": {"dimensions": {"a": "b\nc"}}}, "must not contain line breaks"),
}


@pytest.mark.parametrize(("fields", "sentence"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refusals(fields: dict[str, Any], sentence: str) -> None:
    """Each with its place and a sentence that says what to write instead."""
    with pytest.raises(CatalogError) as refused:
        api(**fields)
    assert sentence in str(refused.value)


KEYS = {
    "subscription": (KeyPart("subscription"),),
    "header:X-Team": (KeyPart("header", "x-team"),),
    "user:x-user+model": (KeyPart("user", "x-user"), KeyPart("model")),
    "all.of_us-2": (KeyPart("text", "all.of_us-2"),),
}


@pytest.mark.parametrize(("text", "parts"), KEYS.items(), ids=KEYS.keys())
def test_counter_keys(text: str, parts: tuple[KeyPart, ...]) -> None:
    """What they are made of."""
    assert parse_counter_key(text) == parts


DIMENSIONS: dict[str, tuple[str, str | None, DimensionSource]] = {
    "its own value": ("Subscription ID", None, DimensionSource("subscription")),
    "a word": ("x", "model", DimensionSource("model")),
    "a header": ("x", "header:X-Team", DimensionSource("header", "x-team")),
    "a fixed text": ("x", "production", DimensionSource("text", "production")),
    "a word as a fixed text": ("x", "text:model", DimensionSource("text", "model")),
}


@pytest.mark.parametrize(("name", "value", "source"), DIMENSIONS.values(), ids=DIMENSIONS.keys())
def test_dimensions(name: str, value: str | None, source: DimensionSource) -> None:
    """Where their values come from."""
    assert parse_dimension(name, value) == source


def test_a_budget_needs_prices() -> None:
    """One that nothing can be charged to would refuse every call: said when it is written."""
    (fault,) = check_catalog([api(budget=MONEY)])
    assert str(fault) == "Api a: budget: needs prices, of the API's own or of the gateway's"
    assert check_catalog([api(budget=MONEY, prices={"*": {"input": 1}})]) == []
    gateway = from_json({"kind": "Gateway", "prices": {"m": {"input": 1}}})
    assert check_catalog([gateway, api(budget=MONEY)]) == []


def test_a_budget_of_a_product_or_the_gateway_needs_prices_of_each_api() -> None:
    """The API is named, for it is there that something is missing."""
    product = from_json({"kind": "Product", "name": "p", "budget": MONEY})
    assert [str(fault) for fault in check_catalog([product, api(products=["p"])])] == [
        "Api a: prices: is missing; a budget of Product p applies"
    ]
    gateway = from_json({"kind": "Gateway", "budget": MONEY})
    assert [str(fault) for fault in check_catalog([gateway, api()])] == [
        "Api a: prices: is missing; a budget of Gateway gateway applies"
    ]


def test_an_apis_prices_win() -> None:
    """Over the gateway's for the same model; the others of the gateway's stay."""
    gateway = from_json({"kind": "Gateway", "prices": {"m": {"input": 1}, "n": {"input": 2}}})
    documents = [gateway, api(prices={"m": {"input": 3}})]
    snapshot, faults = Snapshot.build(1, documents, SecretBox(()), {}, None)
    assert faults == []
    prices = snapshot.apis["a"].prices
    assert {name: price.input for name, price in prices.items()} == {"m": 3, "n": 2}
