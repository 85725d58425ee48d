"""Limits, budgets, prices and token metrics as people write them."""

from __future__ import annotations

from typing import Any

import pytest

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
    "the smallest budget": {"budget": {**MONEY, "usd": 1e-9}},
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
        "tokenLimit: must have tokensPerMinute, tokenQuota or both",
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
        'budget.period: must be "Hourly", "Daily", "Weekly", "Monthly" or "Yearly"',
    ),
    "none allowed": ({"tokenLimit": {**TOKENS, "tokensPerMinute": 0}}, "tokensPerMinute: must be at least 1"),
    "text for a number": ({"tokenLimit": {**TOKENS, "tokensPerMinute": "5"}}, "must be a whole number"),
    "true for a number": ({"rateLimit": {**CALLS, "calls": True}}, "must be a whole number"),
    "no money": ({"budget": {**MONEY, "usd": 0}}, "budget.usd: must be greater than 0"),
    "less money than can be counted": (
        {"budget": {**MONEY, "usd": 1e-12}},
        "budget.usd: must be at least 0.000000001, the billionth of a dollar in which budgets are counted",
    ),
    "a negative price": ({"prices": {"m": {"input": -1}}}, "prices.m.input: must be at least 0"),
    "a field that is none": ({"rateLimit": {**CALLS, "call": 3}}, 'unknown field "call"; did you mean "calls"?'),
    "too long a period": ({"rateLimit": {**CALLS, "renewalPeriod": 90_000}}, "must be at most 86400"),
    "no seconds": ({"rateLimit": {**CALLS, "renewalPeriod": 0}}, "renewalPeriod: must be at least 1"),
    "half a token": ({"tokenLimit": {**TOKENS, "tokensPerMinute": 0.5}}, "must be a whole number"),
    "more tokens than there are": (
        {"tokenLimit": {**TOKENS, "tokenQuota": 10**15 + 1, "tokenQuotaPeriod": "Daily"}},
        "tokenLimit.tokenQuota: must be at most 1000000000000000",
    ),
    "more calls than there are": ({"rateLimit": {**CALLS, "calls": 10**16}}, "must be at most 1000000000000000"),
    "more money than there is": ({"budget": {**MONEY, "usd": 1e10}}, "budget.usd: must be at most 1000000000"),
    "text for money": ({"budget": {**MONEY, "usd": "50"}}, "budget.usd: must be a number"),
    "true for money": ({"budget": {**MONEY, "usd": True}}, "budget.usd: must be a number"),
    "no end of money": ({"budget": {**MONEY, "usd": float("inf")}}, "budget.usd: must be a finite number"),
    "another reserve": (
        {"tokenLimit": {**TOKENS, "reserve": "all"}},
        'tokenLimit.reserve: must be "prompt" or "prompt+max_tokens"',
    ),
    "text for a truth value": (
        {"tokenLimit": {**TOKENS, "estimatePromptTokens": "true"}},
        "must be true or false, without quotes",
    ),
    "another way to be unavailable": (
        {"rateLimit": {**CALLS, "onUnavailable": "ignore"}},
        'rateLimit.onUnavailable: must be "allow" or "deny"',
    ),
    "another way to disconnect": ({"tokenLimit": {**TOKENS, "onDisconnect": "go"}}, 'must be "stop" or "drain"'),
    "another way to exceed": ({"budget": {**MONEY, "onExceeded": "go"}}, 'must be "stop" or "finish"'),
    "the second of a list": (
        {"rateLimit": [CALLS, {**CALLS, "counterKey": "api", "calls": 0}]},
        "rateLimit[1].calls: must be at least 1",
    ),
    "the one of a list": ({"rateLimit": [{**CALLS, "calls": 0}]}, "rateLimit[0].calls: must be at least 1"),
    "twice the same": (
        {"rateLimit": [CALLS, CALLS]},
        "rateLimit: must not have two limits on ip with the same window, 60 s",
    ),
    "twice the same header": (
        {"rateLimit": [{**CALLS, "counterKey": "header:X-A"}, {**CALLS, "counterKey": "header:x-a"}]},
        "must not have two limits on header:x-a with the same window",
    ),
    "twice the same minute": (
        {"tokenLimit": [TOKENS, TOKENS]},
        "must not have two limits on subscription with the same window, a minute",
    ),
    "twice the same quota": (
        {
            "tokenLimit": [
                {"counterKey": "ip", "tokenQuota": n, "tokenQuotaPeriod": "Daily", "estimatePromptTokens": True}
                for n in (1, 2)
            ]
        },
        "tokenLimit: must not have two limits on ip with the same window, Daily",
    ),
    "twice the same budget": (
        {"budget": [MONEY, MONEY]},
        "budget: must not have two limits on subscription with the same window, Monthly",
    ),
    "too many": (
        {"rateLimit": [{**CALLS, "counterKey": f"k{number}"} for number in range(11)]},
        "rateLimit: must be at most 10 entries",
    ),
    "no object": ({"tokenLimit": 5}, "tokenLimit: must be a mapping of fields, or a list of them"),
    "nothing at all": ({"budget": None}, "budget: must be a mapping of fields, or a list of them"),
    "a list of no object": ({"budget": [5]}, "budget[0]: must be a mapping of fields"),
    "two meanings of a header": (
        {"tokenLimit": {**TOKENS, "remainingTokensHeaderName": "X-A", "tokensConsumedHeaderName": "x-a"}},
        "must not give the header x-a two meanings",
    ),
    "a header of the gateway's own": (
        {"tokenLimit": {**TOKENS, "remainingTokensHeaderName": "x-ratelimit-remaining-tokens"}},
        "which has a meaning of its own",
    ),
    "the request's id": (
        {"tokenLimit": {**TOKENS, "tokensConsumedHeaderName": "X-Request-Id"}},
        "which has a meaning of its own",
    ),
    "the content's header": (
        {"rateLimit": {**CALLS, "retryAfterHeaderName": "Content-Type"}},
        "which has a meaning of its own",
    ),
    "no header name": (
        {"tokenLimit": {**TOKENS, "remainingQuotaTokensHeaderName": "a b"}},
        "must be a header name: letters, digits and hyphens",
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
    "too long a fixed text": ({"rateLimit": {**CALLS, "counterKey": "a" * 81}}, "counterKey: must be subscription"),
    "too long a key": (
        {"rateLimit": {**CALLS, "counterKey": "+".join(f"{number:040}" for number in range(10))}},
        "counterKey: must be at most 400 characters",
    ),
    "a header twice in a key": (
        {"rateLimit": {**CALLS, "counterKey": "header:X-A+header:x-a"}},
        "must not name the same thing more than once",
    ),
    "a price without input": ({"prices": {"m": {"output": 1}}}, "prices.m.input: is required"),
    "too high a price": ({"prices": {"m": {"input": 10**7}}}, "prices.m.input: must be at most 1000000"),
    "a price that is none": ({"prices": {"m": 5}}, "prices.m: must be a mapping of fields"),
    "a price of nothing": ({"prices": {"": {"input": 1}}}, 'prices: has the key "", which must not be empty'),
    "a price of a number": ({"prices": {4: {"input": 1}}}, 'prices: has the key "4", which must be text'),
    "a price of too long a name": (
        {"prices": {"m" * 201: {"input": 1}}},
        f'prices: has the key "{"m" * 40}…", which must be at most 200 characters',
    ),
    "too many prices": (
        {"prices": {f"m{number}": {"input": 1} for number in range(1_001)}},
        "prices: must be at most 1000 entries",
    ),
    "metrics of no namespace": ({"tokenMetrics": {"namespace": ""}}, "tokenMetrics.namespace: must not be empty"),
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
    "a dimension without a name": (
        {"tokenMetrics": {"dimensions": {"": "x"}}},
        'tokenMetrics.dimensions: has the key "", which must not be empty',
    ),
    "a dimension of too long a name": (
        {"tokenMetrics": {"dimensions": {"d" * 101: "x"}}},
        "which must be at most 100 characters",
    ),
    "a dimension of a name that does not show": (
        {"tokenMetrics": {"dimensions": {"a\nb": "x"}}},
        'has the key "a\ufffdb", which must be printable characters',
    ),
    "a dimension of an empty value": ({"tokenMetrics": {"dimensions": {"a": ""}}}, "dimensions.a: must not be empty"),
    "a dimension of an empty text": (
        {"tokenMetrics": {"dimensions": {"a": "text:"}}},
        'must have a text behind "text:" for "a"',
    ),
    "a dimension of a number": ({"tokenMetrics": {"dimensions": {"a": 5}}}, "dimensions.a: must be text"),
    "a dimension over two lines": (
        {"tokenMetrics": {"dimensions": {"a": "b\nc"}}},
        "tokenMetrics.dimensions.a: must be printable characters",
    ),
}


@pytest.mark.parametrize(("fields", "sentence"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refusals(fields: dict[str, Any], sentence: str) -> None:
    """Each with its place and a sentence that says what to write instead."""
    with pytest.raises(CatalogError) as refused:
        api(**fields)
    assert sentence in str(refused.value)


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


def test_a_gateway_that_cannot_be_read_may_have_prices() -> None:
    """Nobody is told to add what may be there."""
    assert check_catalog([api(budget=MONEY)], {("Gateway", "gateway")}) == []


def test_an_apis_prices_win() -> None:
    """Over the gateway's for the same model; the others of the gateway's stay."""
    gateway = from_json({"kind": "Gateway", "prices": {"m": {"input": 1}, "n": {"input": 2}}})
    documents = [gateway, api(prices={"m": {"input": 3}})]
    snapshot, faults = Snapshot.build(1, documents, SecretBox(()), {}, None)
    assert faults == []
    prices = snapshot.apis["a"].prices
    assert {name: price.input for name, price in prices.items()} == {"m": 3, "n": 2}
