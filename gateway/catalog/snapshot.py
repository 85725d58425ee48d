"""The catalog as requests see it: resolved, immutable, built once for each revision and swapped whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

from gateway.catalog.backend_settings import BackendSettings, ManagedIdentityCredentials
from gateway.catalog.caches import Caches, ResolvedCache
from gateway.catalog.content_safety import ContentSafety, Screened
from gateway.catalog.fields import check_secret_text
from gateway.catalog.limits import Price
from gateway.catalog.loading import LoadFault, where
from gateway.catalog.models import Api, Backend, Document, Gateway, Kind, NamedValue, Product, Written
from gateway.catalog.placeholders import Unresolved, resolve
from gateway.catalog.routing import Routes
from gateway.catalog.screenings import ResolvedScreening, Screenings
from gateway.catalog.secrets import SecretBox, SecretFault, reveal
from gateway.catalog.semantic_cache import MODES_BY_MEANING, Cached, SemanticCache
from gateway.errors import Fault


@dataclass(frozen=True, slots=True)
class ResolvedBackend:
    """A backend ready to be called: the gateway's timeouts filled in, the credential's placeholders replaced."""

    name: str
    settings: BackendSettings
    credential_value: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ApiEntry:
    """Everything a request to one API needs."""

    api: Api
    backend: ResolvedBackend
    products: tuple[Product, ...]
    max_request_bytes: int
    open_product: Product | None
    gateway: Gateway = field(default_factory=Gateway)
    # The API's own, and the gateway's for the models that it does not name.
    prices: Mapping[str, Price] = field(default_factory=lambda: MappingProxyType({}))
    caches: Caches = field(default_factory=Caches)
    screenings: Screenings = field(default_factory=Screenings)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One revision of the catalog. Nothing in it changes; a new revision is a new Snapshot."""

    revision: int
    gateway: Gateway
    apis: Mapping[str, ApiEntry]
    products: Mapping[str, Product]
    backends: Mapping[str, ResolvedBackend]
    # By the document that has the settings.
    caches: Mapping[tuple[Kind, str], ResolvedCache]
    screenings: Mapping[tuple[Kind, str], ResolvedScreening]
    named_values: Mapping[str, str] = field(repr=False)
    # What this snapshot was made of, for the next one to fall back on.
    documents: Mapping[tuple[Kind, str], Document] = field(repr=False)
    routes: Routes[ApiEntry] = field(repr=False)

    def route(self, path: str) -> tuple[ApiEntry, str] | None:
        """The API for a path (no leading slash, still percent-encoded) and the rest of the path, or None."""
        return self.routes.find(path)

    @classmethod
    def build(
        cls,
        revision: int,
        documents: Sequence[Document | LoadFault],
        secrets: SecretBox,
        environment: Mapping[str, str],
        previous: Snapshot | None,
    ) -> tuple[Self, list[Fault]]:
        """A snapshot of these documents, and what is wrong with them.

        What is broken keeps its last good version from `previous`; without one it is left out, with all that depends
        on it. One bad document never takes down the others, and never raises.
        """
        resolver = _Resolver(documents, secrets, environment, previous)
        entries = resolver.api_entries()
        snapshot = cls(
            revision=revision,
            gateway=resolver.gateway,
            apis=MappingProxyType(entries),
            products=MappingProxyType(resolver.products),
            backends=MappingProxyType(resolver.backends),
            caches=MappingProxyType(resolver.caches),
            screenings=MappingProxyType(resolver.screenings),
            named_values=MappingProxyType(resolver.named_values),
            documents=MappingProxyType(resolver.documents),
            routes=Routes({entry.api.path: entry for entry in entries.values()}),
        )
        return snapshot, resolver.faults


class _Resolver:
    """Puts the documents of one revision together. Lives only while a Snapshot is built."""

    def __init__(
        self,
        documents: Sequence[Document | LoadFault],
        secrets: SecretBox,
        environment: Mapping[str, str],
        previous: Snapshot | None,
    ) -> None:
        self.faults: list[Fault] = []
        self._environment = environment
        self._previous = previous
        self.documents = self._readable(documents)
        self.gateway = next(iter(self._all(Gateway)), Gateway())
        self.products = {product.name: product for product in self._all(Product)}
        self.named_values = self._reveal_all(secrets)
        self.backends = self._resolve_backends()
        self.caches = self._resolve_caches()
        self.screenings = self._resolve_screenings()

    def api_entries(self) -> dict[str, ApiEntry]:
        """The APIs that can be served, by name; no two of them on one path."""
        entries: dict[str, ApiEntry] = {}
        fallen: list[str] = []
        taken: dict[str, str] = {}
        for entry in sorted(self._resolve_apis(fallen), key=self._precedence):
            name, path = entry.api.name, entry.api.path.lower()
            if path in taken:
                self._fault("Api", name, f'path: "{path}" belongs to Api {taken[path]}')
                fallen.append(name)
                continue
            taken[path] = name
            entries[name] = entry
        for name in fallen:
            last_good = self._last_good_api(name)
            if last_good is not None and last_good.api.path.lower() not in taken:
                taken[last_good.api.path.lower()] = name
                entries[name] = last_good
        return dict(sorted(entries.items()))

    def _readable(self, documents: Sequence[Document | LoadFault]) -> dict[tuple[Kind, str], Document]:
        found: dict[tuple[Kind, str], Document] = {}
        for each in documents:
            if not isinstance(each, LoadFault):
                found[each.kind, each.name] = each
                continue
            self.faults += each.faults
            if self._previous and each.kind and (last_good := self._previous.documents.get((each.kind, each.name))):
                found[each.kind, each.name] = last_good
        return found

    def _all[Model: Written](self, model: type[Model]) -> Iterable[Model]:
        return (document for document in self.documents.values() if isinstance(document, model))

    def _reveal_all(self, secrets: SecretBox) -> dict[str, str]:
        values: dict[str, str] = {}
        for named_value in self._all(NamedValue):
            try:
                values[named_value.name] = reveal(named_value, secrets, self._environment)
            except (SecretFault, Unresolved) as error:
                self._fault("NamedValue", named_value.name, str(error))
        return values

    def _resolve_backends(self) -> dict[str, ResolvedBackend]:
        backends: dict[str, ResolvedBackend] = {}
        for backend in self._all(Backend):
            try:
                backends[backend.name] = self._resolve(backend.name, backend)
            except Unresolved as error:
                self._fault("Backend", backend.name, f"credentials.value: {error}")
                if self._previous and (last_good := self._previous.backends.get(backend.name)):
                    backends[backend.name] = last_good
        return backends

    def _resolve_apis(self, fallen: list[str]) -> list[ApiEntry]:
        entries = []
        for api in self._all(Api):
            try:
                entries.append(self._entry(api))
            except Unresolved as error:
                self._fault("Api", api.name, str(error))
                fallen.append(api.name)
        return entries

    def _entry(self, api: Api) -> ApiEntry:
        missing = [name for name in api.products if name not in self.products]
        if missing:
            raise Unresolved(f"products: Product {missing[0]} is missing or cannot be read")
        products = tuple(self.products[name] for name in api.products)
        return ApiEntry(
            api=api,
            backend=self._backend_of(api.backend, api.name, "backend"),
            products=products,
            max_request_bytes=api.max_request_bytes or self.gateway.max_request_bytes,
            open_product=_open_product(products),
            gateway=self.gateway,
            prices=self._prices(api),
            caches=self._caches(self.caches.get(("Api", api.name)), api.products),
            screenings=self._screenings(self.screenings.get(("Api", api.name)), api.products),
        )

    def _prices(self, api: Api) -> Mapping[str, Price]:
        return MappingProxyType({**self.gateway.prices, **api.prices})

    def _resolve_caches(self) -> dict[tuple[Kind, str], ResolvedCache]:
        caches: dict[tuple[Kind, str], ResolvedCache] = {}
        for key, document in self.documents.items():
            if isinstance(document, Cached) and document.semantic_cache is not None:
                caches[key] = self._resolve_cache(*key, document.semantic_cache)
        return caches

    def _resolve_cache(self, kind: Kind, name: str, settings: SemanticCache) -> ResolvedCache:
        if settings.embeddings is None or settings.mode not in MODES_BY_MEANING:
            return ResolvedCache(settings)
        choice = settings.embeddings.backend
        try:
            backend = self._backend_of(choice, f"{name}-embeddings", "semanticCache.embeddings.backend")
        except Unresolved as error:
            self._fault(kind, name, str(error))
        else:
            return ResolvedCache(settings, backend)
        last_good = self._previous.caches.get((kind, name)) if self._previous else None
        if last_good is None or last_good.backend is None:
            return ResolvedCache(settings)
        # A model and its backend belong together. Who shares answers with whom is as it is written now.
        kept = settings.model_copy(update={"embeddings": last_good.settings.embeddings})
        return ResolvedCache(kept, last_good.backend)

    def _caches(self, of_api: ResolvedCache | None, products: Iterable[str]) -> Caches:
        of_products = {name: self.caches["Product", name] for name in products if ("Product", name) in self.caches}
        return Caches(of_api, MappingProxyType(of_products), self.caches.get(("Gateway", self.gateway.name)))

    def _resolve_screenings(self) -> dict[tuple[Kind, str], ResolvedScreening]:
        screenings: dict[tuple[Kind, str], ResolvedScreening] = {}
        for key, document in self.documents.items():
            if isinstance(document, Screened) and document.content_safety is not None:
                screenings[key] = self._resolve_screening(*key, document.content_safety)
        return screenings

    def _resolve_screening(self, kind: Kind, name: str, settings: ContentSafety) -> ResolvedScreening:
        try:
            backend = self._backend_of(settings.backend, f"{name}-content-safety", "contentSafety.backend")
        except Unresolved as error:
            self._fault(kind, name, str(error))
        else:
            return ResolvedScreening(settings, backend)
        last_good = self._previous.screenings.get((kind, name)) if self._previous else None
        return ResolvedScreening(settings, last_good.backend if last_good is not None else None)

    def _screenings(self, of_api: ResolvedScreening | None, products: Iterable[str]) -> Screenings:
        found = self.screenings
        of_products = {name: found["Product", name] for name in products if ("Product", name) in found}
        return Screenings(of_api, MappingProxyType(of_products), found.get(("Gateway", self.gateway.name)))

    def _backend_of(self, choice: str | BackendSettings, name: str, field: str) -> ResolvedBackend:
        if isinstance(choice, str):
            if choice not in self.backends:
                raise Unresolved(f"{field}: Backend {choice} is missing or cannot be used")
            return self.backends[choice]
        try:
            return self._resolve(name, choice)
        except Unresolved as error:
            raise Unresolved(f"{field}.credentials.value: {error}") from error

    def _resolve(self, name: str, settings: BackendSettings) -> ResolvedBackend:
        timeouts = settings.timeouts.over(self.gateway.timeouts)
        complete = settings.model_copy(update={"timeouts": timeouts})
        credentials = settings.credentials
        if credentials is None or isinstance(credentials, ManagedIdentityCredentials):
            return ResolvedBackend(name, complete)
        value = resolve(credentials.value, self.named_values, self._environment)
        try:
            # An app setting comes from outside and was never looked at.
            check_secret_text(value)
        except ValueError as error:
            raise Unresolved(f"the value after replacement {error}") from error
        return ResolvedBackend(name, complete, value)

    def _precedence(self, entry: ApiEntry) -> tuple[bool, str]:
        # Who had the path keeps it: a newcomer on the same path must not take over its calls.
        before = self._previous.apis.get(entry.api.name) if self._previous else None
        return (before is None or before.api.path.lower() != entry.api.path.lower(), entry.api.name)

    def _last_good_api(self, name: str) -> ApiEntry | None:
        entry = self._previous.apis.get(name) if self._previous else None
        if entry is None:
            return None
        # Products decide who gets in, and the gateway's limits are for all: even an API that stays behind follows them.
        products = tuple(self.products[each] for each in entry.api.products if each in self.products)
        return replace(
            entry,
            products=products,
            open_product=_open_product(products),
            gateway=self.gateway,
            prices=self._prices(entry.api),
            caches=self._caches(entry.caches.of_api, (product.name for product in products)),
            screenings=self._screenings(entry.screenings.of_api, (product.name for product in products)),
        )

    def _fault(self, kind: Kind, name: str, problem: str) -> None:
        self.faults.append(Fault(where(kind, name), problem))


def _open_product(products: Iterable[Product]) -> Product | None:
    return next((product for product in products if product.is_open), None)
