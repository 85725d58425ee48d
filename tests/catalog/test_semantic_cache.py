"""`semanticCache` as people write it, and what of it holds for a call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.catalog.caches import ResolvedCache
from gateway.catalog.loading import dump_documents, from_json, parse_documents
from gateway.catalog.models import Api, Document, Gateway, Product
from gateway.catalog.remarks import remarks
from gateway.catalog.secrets import SecretBox
from gateway.catalog.semantic_cache import SemanticCache
from gateway.catalog.snapshot import Snapshot
from gateway.catalog.validation import check_catalog, uses
from gateway.errors import CatalogError

API = {"kind": "Api", "name": "a", "path": "a", "type": "openai", "backend": {"url": "http://x/v1"}, "products": ["p"]}
EMBEDDINGS = {"backend": "vectors", "model": "text-embedding-3-small"}
BACKEND = {"kind": "Backend", "name": "vectors", "url": "http://vectors.example/v1"}
PRODUCT = {"kind": "Product", "name": "p", "state": "published"}
ENVIRONMENT = {"TOKEN": "t-1"}


def inline(secret: str) -> dict[str, Any]:
    """Embeddings of a backend that is written right there, with a secret from `{{secret}}`."""
    credentials = {"header": "api-key", "value": f"{{{{{secret}}}}}"}
    return {"backend": {"url": "http://inline.example/v1", "credentials": credentials}, "model": "m"}


def api(cache: Any) -> Api:
    document = from_json({**API, "semanticCache": cache})
    assert isinstance(document, Api)
    return document


def documents(**caches: Any) -> list[Document]:
    """A whole catalog; `api`, `product` and `gateway` say what cache each of them has."""
    written = {"api": API, "product": PRODUCT, "gateway": {"kind": "Gateway"}}
    with_caches = [
        {**fields, "semanticCache": caches[name]} if name in caches else fields for name, fields in written.items()
    ]
    return [from_json(fields) for fields in (BACKEND, *with_caches)]


def build(catalog: list[Document], previous: Snapshot | None = None, **environment: str) -> tuple[Snapshot, list[str]]:
    """A snapshot, and its faults as text."""
    snapshot, faults = Snapshot.build(1, catalog, SecretBox(()), environment, previous)
    return snapshot, [str(fault) for fault in faults]


def holding(snapshot: Snapshot, product: str | None = "p") -> ResolvedCache | None:
    """What holds for a call to the API `a` that came in through this product."""
    return snapshot.apis["a"].caches.holding(snapshot.products[product] if product else None)


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


def with_embeddings(**fields: Any) -> dict[str, Any]:
    return {"embeddings": EMBEDDINGS, **fields}


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


def test_sharing_between_all_callers_is_remarked_on() -> None:
    """Allowed, and said; of a cache that is off there is nothing to say."""
    catalog = documents(api=with_embeddings(varyBy=[]), product={"mode": "off", "varyBy": []}, gateway={"mode": "off"})
    assert check_catalog(catalog) == []
    assert [str(remark) for remark in remarks(catalog)] == [
        "Api a: semanticCache.varyBy: is empty: all callers get each other's answers"
    ]


NARROWEST: dict[str, tuple[dict[str, int], str | None, int | None]] = {
    "the API's": ({"api": 1, "product": 2, "gateway": 3}, "p", 1),
    "the API's without a product": ({"api": 1, "product": 2, "gateway": 3}, None, 1),
    "the product's": ({"product": 2, "gateway": 3}, "p", 2),
    "the gateway's": ({"gateway": 3}, "p", 3),
    "the gateway's without a product": ({"product": 2, "gateway": 3}, None, 3),
    "none": ({}, "p", None),
    "none without a product": ({"product": 2}, None, None),
}


@pytest.mark.parametrize(("durations", "product", "held"), NARROWEST.values(), ids=NARROWEST.keys())
def test_the_narrowest_holds(durations: dict[str, int], product: str | None, held: int | None) -> None:
    """The API's, else that of the caller's product, else the gateway's."""
    snapshot, faults = build(documents(**{name: with_embeddings(duration=each) for name, each in durations.items()}))
    found = holding(snapshot, product)
    assert faults == []
    assert (found.settings.duration if found else None) == held
    assert found is None or (found.backend is not None and found.backend.name == "vectors")


def test_the_narrowest_holds_whole() -> None:
    """What it leaves out has its default, and not what stands further out."""
    snapshot, _ = build(documents(api={"mode": "exact"}, gateway=with_embeddings(duration=7, varyBy=[])))
    found = holding(snapshot)
    assert found == ResolvedCache(SemanticCache.model_validate({"mode": "exact"}))
    assert found.settings.vary_by == ("subscription",)


def test_off_takes_an_api_out_of_the_gateways_cache() -> None:
    """The narrowest says there is none; its embeddings are never looked at."""
    snapshot, faults = build(
        documents(api={"mode": "off", "embeddings": inline("env:GONE")}, gateway=with_embeddings())
    )
    assert (holding(snapshot), snapshot.apis["a"].caches.all(), faults) == (None, (), [])


def test_all_caches_that_may_hold_are_told() -> None:
    """For whoever wants to know whether an API has any."""
    snapshot, _ = build(documents(product=with_embeddings(duration=2), gateway=with_embeddings(duration=3)))
    assert [cache.settings.duration for cache in snapshot.apis["a"].caches.all()] == [2, 3]
    snapshot, _ = build(documents(api=with_embeddings(), product=with_embeddings()))
    assert len(snapshot.apis["a"].caches.all()) == 1


def test_the_backend_of_embeddings_is_resolved() -> None:
    """Its credential and the gateway's timeouts are in it; another product's cache is none of the API's business."""
    other = from_json({"kind": "Product", "name": "q", "semanticCache": with_embeddings()})
    snapshot, faults = build([*documents(api={"embeddings": inline("env:TOKEN")}), other], **ENVIRONMENT)
    found = holding(snapshot)
    assert found is not None
    assert found.backend is not None
    assert (found.backend.name, found.backend.credential_value) == ("a-embeddings", "t-1")
    assert found.backend.settings.timeouts.connect == 5
    assert snapshot.apis["a"].caches.of_products == {}
    assert faults == []


def test_an_api_serves_though_its_embeddings_cannot_be_reached() -> None:
    """On a new instance only the same question is answered then."""
    snapshot, faults = build(documents(api={"embeddings": inline("env:TOKEN")}))
    found = holding(snapshot)
    assert faults == ["Api a: semanticCache.embeddings.backend.credentials.value: the app setting TOKEN is not set"]
    assert found is not None
    assert (found.settings.mode, found.backend) == ("on", None)


def test_a_backend_of_embeddings_that_is_gone_is_told() -> None:
    """As when somebody deletes a row by hand."""
    snapshot, faults = build(documents(gateway=with_embeddings())[1:])
    assert faults == ["Gateway gateway: semanticCache.embeddings.backend: Backend vectors is missing or cannot be used"]
    assert "a" in snapshot.apis


def test_a_serving_instance_keeps_the_last_good_embeddings_and_follows_the_rest() -> None:
    """Again and again; who shares answers with whom is never that of an older version."""
    snapshot, _ = build(documents(product={"embeddings": inline("env:TOKEN"), "varyBy": []}), **ENVIRONMENT)
    changed = documents(product={"embeddings": {**inline("env:GONE"), "model": "new"}, "duration": 9})
    for _ in range(3):
        snapshot, faults = build(changed, snapshot, **ENVIRONMENT)
        assert faults == [
            "Product p: semanticCache.embeddings.backend.credentials.value: the app setting GONE is not set"
        ]
        found = holding(snapshot)
        assert found is not None
        assert found.backend is not None
        assert found.settings.embeddings is not None
        assert (found.backend.credential_value, found.settings.embeddings.model) == ("t-1", "m")
        assert (found.settings.vary_by, found.settings.duration) == (("subscription",), 9)


def test_an_api_that_stays_behind_follows_the_caches_of_its_products_and_the_gateway() -> None:
    """As it follows their limits; its own it keeps."""
    first, _ = build(documents(product=with_embeddings(duration=2)))
    broken = from_json({**API, "backend": "gone"})
    second, _ = build(
        [broken, *(each for each in documents(product=with_embeddings(duration=5)) if each.name != "a")], first
    )
    found = holding(second)
    assert found is not None
    assert found.settings.duration == 5
    first, _ = build(documents(api=with_embeddings(duration=1)))
    second, _ = build([broken, *(each for each in documents() if each.name != "a")], first)
    found = holding(second)
    assert found is not None
    assert found.settings.duration == 1


def test_documents_without_a_cache_say_nothing_of_one() -> None:
    """None is exported that was not written."""
    for document in (api({"mode": "off"}), from_json(PRODUCT), from_json({"kind": "Gateway"})):
        assert isinstance(document, Api | Product | Gateway)
        assert ("semanticCache" in document.to_json()) == isinstance(document, Api)
