"""`semanticCache` as people write it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.catalog.loading import dump_documents, from_json, parse_documents
from gateway.catalog.models import Api, Gateway, Product
from gateway.catalog.semantic_cache import SemanticCache
from gateway.catalog.validation import check_catalog, uses
from gateway.errors import CatalogError
from tests.catalog.cached import API, EMBEDDINGS, PRODUCT, api, documents, inline, with_embeddings

ROUND_TRIPS: dict[str, dict[str, Any]] = {
    "as little as may be": {"embeddings": EMBEDDINGS},
    "without embeddings": {"mode": "exact"},
    "off": {"mode": "off"},
    "a backend written right there": {"embeddings": inline("env:TOKEN"), "mode": "shadow"},
    "everything": {
        "embeddings": {**EMBEDDINGS, "dimensions": 512},
        "scoreThreshold": 0.1,
        "duration": 60,
        "ignoreSystemMessages": True,
        "maxMessageCount": 4,
        "varyBy": ["product", "ip", "user:x-user", "header:X-Team"],
        "guard": False,
        "mode": "on",
        "embeddingTimeout": 2,
        "maxEntries": 500,
        "cacheToolCalls": True,
        "storePrompts": True,
    },
    "the smallest": {
        "embeddings": {**EMBEDDINGS, "dimensions": 1},
        "scoreThreshold": 0,
        "duration": 1,
        "maxMessageCount": 1,
        "varyBy": [],
        "embeddingTimeout": 0.01,
        "maxEntries": 1,
    },
    "the largest": {
        "embeddings": {**EMBEDDINGS, "dimensions": 4096},
        "scoreThreshold": 1,
        "duration": 2_592_000,
        "embeddingTimeout": 30,
        "maxEntries": 1_000_000,
    },
}


@pytest.mark.parametrize("kind", [API, PRODUCT, {"kind": "Gateway"}], ids=lambda fields: fields["kind"])
@pytest.mark.parametrize("cache", ROUND_TRIPS.values(), ids=ROUND_TRIPS.keys())
def test_round_trips(kind: dict[str, Any], cache: dict[str, Any]) -> None:
    """What was written on either kind of document is exported as it was, and read back the same."""
    written = from_json({**kind, "semanticCache": cache})
    assert written.to_json()["semanticCache"] == cache
    assert parse_documents(dump_documents([written]), "x") == [written]
    assert parse_documents(json.dumps(written.to_json()), "x") == [written]


def test_defaults() -> None:
    """Those of the documentation, which another test holds it to."""
    settings = SemanticCache.model_validate({"mode": "exact"})
    assert (settings.vary_by, settings.score_threshold, settings.duration) == (("subscription",), 0.05, 3600)
    assert (settings.guard, settings.ignore_system_messages, settings.max_message_count) == (True, False, None)
    assert (settings.embedding_timeout, settings.max_entries) == (0.5, 10_000)
    assert (settings.cache_tool_calls, settings.store_prompts) == (False, False)


@pytest.mark.parametrize(
    ("written", "mode"), [("on", "on"), ("off", "off"), ('"on"', "on"), ("true", "on"), ("false", "off")]
)
def test_on_and_off_are_modes_however_they_are_written(written: str, mode: str) -> None:
    """In YAML 1.2 they are text; a tool that thinks in YAML 1.1 makes truth values of them."""
    text = f"{{kind: Gateway, semanticCache: {{mode: {written}, embeddings: {{backend: b, model: m}}}}}}"
    (document,) = parse_documents(text, "x")
    assert isinstance(document, Gateway)
    assert document.semantic_cache is not None
    assert document.semantic_cache.mode == mode


PARTS = 'must be subscription, product, ip, "user:HEADER" or "header:HEADER"'
REFUSALS: dict[str, tuple[Any, str]] = {
    "no embeddings": ({}, 'semanticCache: must have embeddings for the mode "on"; "exact" does without'),
    "no embeddings for shadow": ({"mode": "shadow"}, 'must have embeddings for the mode "shadow"'),
    "no object": ("on", "semanticCache: must be a mapping of fields"),
    "an unknown field": (with_embeddings(ttl=5), 'semanticCache: unknown field "ttl"'),
    "a near field": (
        with_embeddings(score_threshold=0.1),
        'unknown field "score_threshold"; did you mean "scoreThreshold"?',
    ),
    "another mode": (with_embeddings(mode="yes"), 'mode: must be "off", "exact", "on" or "shadow"'),
    "a mode of a number": (with_embeddings(mode=1), 'mode: must be "off", "exact", "on" or "shadow"'),
    "embeddings without a backend": ({"embeddings": {"model": "m"}}, "semanticCache.embeddings.backend: is required"),
    "embeddings without a model": ({"embeddings": {"backend": "b"}}, "semanticCache.embeddings.model: is required"),
    "an empty model": ({"embeddings": {**EMBEDDINGS, "model": ""}}, "embeddings.model: must not be empty"),
    "too long a model": ({"embeddings": {**EMBEDDINGS, "model": "m" * 201}}, "model: must be at most 200 characters"),
    "no dimensions": ({"embeddings": {**EMBEDDINGS, "dimensions": 0}}, "embeddings.dimensions: must be at least 1"),
    "too many dimensions": ({"embeddings": {**EMBEDDINGS, "dimensions": 4097}}, "dimensions: must be at most 4096"),
    "half a dimension": ({"embeddings": {**EMBEDDINGS, "dimensions": 0.5}}, "dimensions: must be a whole number"),
    "a backend that is no name": ({"embeddings": {**EMBEDDINGS, "backend": "A B"}}, "embeddings.backend: must be 1 to"),
    "a backend without a url": ({"embeddings": {**EMBEDDINGS, "backend": {}}}, "embeddings.backend.url: is required"),
    "a backend with its secret": (
        {"embeddings": {"backend": {"url": "http://x", "credentials": {"header": "a", "value": "sk-1"}}, "model": "m"}},
        "semanticCache.embeddings.backend.credentials.value: must name its secret",
    ),
    "a negative threshold": (with_embeddings(scoreThreshold=-0.1), "scoreThreshold: must be at least 0"),
    "a threshold beyond 1": (with_embeddings(scoreThreshold=1.1), "scoreThreshold: must be at most 1"),
    "a threshold of text": (with_embeddings(scoreThreshold="0.1"), "scoreThreshold: must be a number"),
    "no duration": (with_embeddings(duration=0), "duration: must be at least 1"),
    "more than thirty days": (with_embeddings(duration=2_592_001), "duration: must be at most 2592000"),
    "half a second": (with_embeddings(duration=0.5), "duration: must be a whole number"),
    "text for a truth value": (with_embeddings(guard="off"), "guard: must be true or false, without quotes"),
    "a number for a truth value": (with_embeddings(ignoreSystemMessages=1), "must be true or false, without quotes"),
    "text for tool calls": (with_embeddings(cacheToolCalls="no"), "cacheToolCalls: must be true or false"),
    "text for prompts": (with_embeddings(storePrompts="no"), "storePrompts: must be true or false"),
    "no messages": (with_embeddings(maxMessageCount=0), "maxMessageCount: must be at least 1"),
    "no time": (with_embeddings(embeddingTimeout=0.001), "embeddingTimeout: must be at least 0.01"),
    "too long a time": (with_embeddings(embeddingTimeout=31), "embeddingTimeout: must be at most 30"),
    "no entries": (with_embeddings(maxEntries=0), "maxEntries: must be at least 1"),
    "too many entries": (with_embeddings(maxEntries=1_000_001), "maxEntries: must be at most 1000000"),
    "one that is no list": (with_embeddings(varyBy="subscription"), "varyBy: must be a list"),
    "the model": (
        with_embeddings(varyBy=["model"]),
        'varyBy[0]: must not be "model": no answer passes from one model to another anyway',
    ),
    "the API": (
        with_embeddings(varyBy=["subscription", "api"]),
        'varyBy[1]: must not be "api": no answer passes from one api to another anyway',
    ),
    "a fixed text": (
        with_embeddings(varyBy=["everybody"]),
        f"varyBy[0]: {PARTS}; any other text would be the same for every caller",
    ),
    "no text": (with_embeddings(varyBy=[5]), "varyBy[0]: must be text; put it in quotes"),
    "an empty text": (with_embeddings(varyBy=[""]), f"varyBy[0]: {PARTS}"),
    "several in one": (
        with_embeddings(varyBy=["subscription+ip"]),
        'varyBy[0]: must be one thing each; in place of "+", write several entries',
    ),
    "a header without a name": (
        with_embeddings(varyBy=["header:"]),
        'must name a header behind "header:", as in "header:x-team"',
    ),
    "a user without a header": (
        with_embeddings(varyBy=["user"]),
        'must say which header "user" means, as in "user:x-team"',
    ),
    "the same twice": (with_embeddings(varyBy=["ip", "ip"]), "varyBy: must not name ip more than once"),
    "the same header twice": (
        with_embeddings(varyBy=["header:X-A", "header:x-a"]),
        "varyBy: must not name header:X-A more than once",
    ),
    "too many": (with_embeddings(varyBy=[f"header:h{each}" for each in range(11)]), "varyBy: must be at most 10"),
    "too long": (with_embeddings(varyBy=["header:" + "h" * 400]), "varyBy[0]: must be at most 400 characters"),
}


@pytest.mark.parametrize(("cache", "sentence"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refusals(cache: Any, sentence: str) -> None:
    """Each with its place and a sentence that says what to write instead."""
    with pytest.raises(CatalogError) as refused:
        api(cache)
    assert sentence in str(refused.value)


def test_what_embeddings_refer_to_must_exist() -> None:
    """On every kind of document, by name and within a credential."""
    catalog = documents(api=with_embeddings(), product={"embeddings": inline("gone")}, gateway=with_embeddings())
    assert [str(fault) for fault in check_catalog(catalog[1:])] == [
        "Api a: semanticCache.embeddings.backend: Backend vectors does not exist",
        "Product p: semanticCache.embeddings.backend.credentials.value: NamedValue gone does not exist",
        "Gateway gateway: semanticCache.embeddings.backend: Backend vectors does not exist",
    ]


def test_a_backend_is_used_by_whose_embeddings_it_makes() -> None:
    """So it is not deleted under them."""
    catalog = documents(api=with_embeddings(), product=with_embeddings(), gateway=with_embeddings())
    assert uses(catalog, "Backend", "vectors") == ["Api a", "Gateway gateway", "Product p"]


def test_documents_without_a_cache_say_nothing_of_one() -> None:
    """None is exported that was not written."""
    for document in (api({"mode": "off"}), from_json(PRODUCT), from_json({"kind": "Gateway"})):
        assert isinstance(document, Api | Product | Gateway)
        assert ("semanticCache" in document.to_json()) == isinstance(document, Api)
