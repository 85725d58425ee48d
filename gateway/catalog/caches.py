"""Which cache answers the calls of an API: the settings that hold, and the backend of their embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from gateway.catalog.semantic_cache import SemanticCache

if TYPE_CHECKING:
    from gateway.catalog.models import Product
    from gateway.catalog.snapshot import ResolvedBackend


@dataclass(frozen=True, slots=True)
class ResolvedCache:
    """Settings ready to be used. Without a `backend` for the embeddings only the same question can be answered.

    That is so where the mode asks for none, and where the backend cannot be resolved and never could.
    """

    settings: SemanticCache
    backend: ResolvedBackend | None = None

    @property
    def space(self) -> str:
        """Names what makes the vectors: who, with which model, of how many dimensions. Others are not compared.

        Empty where there is nobody to make any.
        """
        embeddings = self.settings.embeddings
        if embeddings is None or self.backend is None:
            return ""
        place = self.backend.settings.url.rstrip("/")
        return f"{place} {embeddings.model}:{embeddings.dimensions or ''}"


@dataclass(frozen=True, slots=True)
class Caches:
    """The caches of one API and of all that stands above it. The narrowest one holds, whole."""

    of_api: ResolvedCache | None = None
    of_products: Mapping[str, ResolvedCache] = field(default_factory=lambda: MappingProxyType({}))
    of_gateway: ResolvedCache | None = None

    def holding(self, product: Product | None) -> ResolvedCache | None:
        """For a call that came in through `product`; None if there is none, or it is off."""
        of_product = self.of_products.get(product.name) if product is not None else None
        cache = self.of_api or of_product or self.of_gateway
        return cache if cache is not None and cache.settings.mode != "off" else None

    def all(self) -> tuple[ResolvedCache, ...]:
        """Every one that may hold for some call."""
        found = (self.of_api,) if self.of_api is not None else (*self.of_products.values(), self.of_gateway)
        return tuple(cache for cache in found if cache is not None and cache.settings.mode != "off")
