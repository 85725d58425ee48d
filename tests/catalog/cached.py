"""Catalogs with caches in them, for tests."""

from __future__ import annotations

from typing import Any

from gateway.catalog.caches import ResolvedCache
from gateway.catalog.loading import from_json
from gateway.catalog.models import Api, Document
from gateway.catalog.secrets import SecretBox
from gateway.catalog.snapshot import Snapshot

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


def with_embeddings(**fields: Any) -> dict[str, Any]:
    return {"embeddings": EMBEDDINGS, **fields}
