"""Which screenings hold for an API, and which services, for the commands that ask these themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.errors import CatalogError, Fault

if TYPE_CHECKING:
    from gateway.catalog.screenings import ResolvedScreening
    from gateway.catalog.snapshot import ApiEntry, ResolvedBackend, Snapshot


def screenings_of(snapshot: Snapshot, api: str, product: str | None = None) -> tuple[ResolvedScreening, ...]:
    """Those of an API's calls, through a product if one is named; raise CatalogError if there is none."""
    entry = _entry(snapshot, api)
    through = next((each for each in entry.products if each.name == product), None)
    if product is not None and through is None:
        raise CatalogError([Fault(f"Api {api}", f"is not in product {product}")])
    found = entry.screenings.holding(through)
    if not found:
        raise CatalogError([Fault(f"Api {api}", "has no contentSafety")])
    return found


def service_of(snapshot: Snapshot, api: str | None, name: str | None) -> ResolvedBackend:
    """The backend of that name, or what screens an API; raise CatalogError if there is none, or a choice to make."""
    if api is None:
        return _named(snapshot.backends, name or "")
    screenings = _entry(snapshot, api).screenings.all()
    backends = {each.backend.name: each.backend for each in screenings if each.backend is not None}
    if name is not None:
        return _named(backends, name)
    if not backends:
        raise CatalogError([Fault(f"Api {api}", "has no contentSafety whose backend can be used")])
    if len(backends) > 1:
        raise CatalogError([Fault("--backend", f"must say which service is meant: {', '.join(sorted(backends))}")])
    return next(iter(backends.values()))


def _entry(snapshot: Snapshot, api: str) -> ApiEntry:
    if api not in snapshot.apis:
        raise CatalogError([Fault(f"Api {api}", "does not exist, or cannot be served")])
    return snapshot.apis[api]


def _named(backends: Mapping[str, ResolvedBackend], name: str) -> ResolvedBackend:
    if name not in backends:
        raise CatalogError([Fault(f"backend {name}", "does not exist here, or cannot be used")])
    return backends[name]
