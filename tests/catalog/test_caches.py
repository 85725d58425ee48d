"""Which cache holds for a call, and the backend of its embeddings."""

from __future__ import annotations

import pytest

from gateway.catalog.caches import ResolvedCache
from gateway.catalog.loading import from_json
from gateway.catalog.semantic_cache import SemanticCache
from tests.catalog.cached import API, ENVIRONMENT, build, documents, holding, inline, with_embeddings

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
