"""What only the whole catalog can tell: whether all that is referred to exists, and nothing stands in another's way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from gateway.catalog.backend_settings import BackendSettings, HeaderCredentials, QueryCredentials
from gateway.catalog.loading import where
from gateway.catalog.models import Api, Backend, Document, Gateway, Kind, Product, Subscription
from gateway.catalog.placeholders import named_values_in
from gateway.catalog.semantic_cache import Cached
from gateway.errors import Fault

Reference = tuple[str, Kind, str]


def check_catalog(documents: Sequence[Document], also_there: Collection[tuple[Kind, str]] = ()) -> list[Fault]:
    """Every fault between documents. `also_there` names documents that exist but cannot be read at the moment."""
    known = {(document.kind, document.name) for document in documents} | set(also_there)
    faults = [*_names_twice(documents), *_paths_twice(documents)]
    if ("Gateway", "gateway") not in also_there:
        faults += _budgets_without_prices(documents)
    for document in documents:
        for field, kind, name in references(document):
            if (kind, name) not in known:
                place = f"{where(document.kind, document.name)}: {field}"
                faults.append(Fault(place, f"{kind} {name} does not exist"))
    return faults


def uses(documents: Sequence[Document], kind: Kind, name: str) -> list[str]:
    """Who refers to a document, as `Api openai`, in alphabetical order."""
    users = {
        where(document.kind, document.name)
        for document in documents
        for _, used_kind, used_name in references(document)
        if (used_kind, used_name) == (kind, name)
    }
    return sorted(users)


def references(document: Document) -> Iterator[Reference]:
    """What a document refers to: the field that does, and the kind and name it means."""
    if isinstance(document, Api):
        yield from (("products", "Product", name) for name in document.products)
        yield from _backend(document.backend, "backend")
    if isinstance(document, Backend):
        yield from _named_values(document, "")
    if isinstance(document, Subscription):
        yield from _scope(document.scope)
    if isinstance(document, Cached) and document.semantic_cache and document.semantic_cache.embeddings:
        yield from _backend(document.semantic_cache.embeddings.backend, "semanticCache.embeddings.backend")


def _backend(choice: str | BackendSettings, field: str) -> Iterator[Reference]:
    if isinstance(choice, str):
        yield field, "Backend", choice
    else:
        yield from _named_values(choice, f"{field}.")


def _named_values(settings: BackendSettings, prefix: str) -> Iterator[Reference]:
    if isinstance(settings.credentials, HeaderCredentials | QueryCredentials):
        for name in named_values_in(settings.credentials.value):
            yield f"{prefix}credentials.value", "NamedValue", name


def _scope(scope: str) -> Iterator[Reference]:
    _, collection, *name = scope.split("/")
    if name:
        yield "scope", "Api" if collection == "apis" else "Product", name[0]


def _names_twice(documents: Sequence[Document]) -> Iterator[Fault]:
    counts = Counter((document.kind, document.name) for document in documents)
    for (kind, name), count in counts.items():
        if count > 1:
            yield Fault(where(kind, name), f"is there {count} times; names must be unique within a kind")


def _paths_twice(documents: Sequence[Document]) -> Iterator[Fault]:
    owners: dict[str, str] = {}
    for document in documents:
        if not isinstance(document, Api):
            continue
        owner = owners.setdefault(document.path.lower(), document.name)
        if owner != document.name:
            yield Fault(f"{where('Api', document.name)}: path", f'"{document.path}" already belongs to Api {owner}')


def _budgets_without_prices(documents: Sequence[Document]) -> Iterator[Fault]:
    """A budget refuses models without a price: one that applies where there are none at all would refuse every call."""
    gateway = next((document for document in documents if isinstance(document, Gateway)), Gateway())
    with_budget = {document.name for document in documents if isinstance(document, Product) and document.budget}
    for api in documents:
        if not isinstance(api, Api) or api.prices or gateway.prices:
            continue
        if api.budget:
            yield Fault(f"{where('Api', api.name)}: budget", "needs prices, of the API's own or of the gateway's")
            continue
        owners = [where("Product", name) for name in api.products if name in with_budget]
        owners += [where("Gateway", gateway.name)] if gateway.budget else []
        if owners:
            yield Fault(f"{where('Api', api.name)}: prices", f"is missing; a budget of {owners[0]} applies")
