"""What screens the calls of an API: the settings of all that stands above it, and the backends that are asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from gateway.catalog.content_safety import ContentSafety

if TYPE_CHECKING:
    from gateway.catalog.models import Product
    from gateway.catalog.snapshot import ResolvedBackend


@dataclass(frozen=True, slots=True)
class ResolvedScreening:
    """Settings ready to be used. Without a `backend`, which then cannot be resolved, it is an outage, never clean."""

    settings: ContentSafety
    backend: ResolvedBackend | None = None

    def asks_the_same(self, other: ResolvedScreening) -> bool:
        """Whether the two can be one, with the stricter settings."""
        if self.backend is None or other.backend is None:
            return False
        mine, theirs = self.backend, other.backend
        return mine.settings == theirs.settings and mine.credential_value == theirs.credential_value


@dataclass(frozen=True, slots=True)
class Screenings:
    """The screenings of one API and of all that stands above it. All of them hold."""

    of_api: ResolvedScreening | None = None
    of_products: Mapping[str, ResolvedScreening] = field(default_factory=lambda: MappingProxyType({}))
    of_gateway: ResolvedScreening | None = None

    def holding(self, product: Product | None) -> tuple[ResolvedScreening, ...]:
        """For a call that came in through `product`: one for each backend, with the stricter of each setting."""
        of_product = self.of_products.get(product.name) if product is not None else None
        found: list[ResolvedScreening] = []
        for screening in (self.of_api, of_product, self.of_gateway):
            if screening is None:
                continue
            same = next((place for place, each in enumerate(found) if each.asks_the_same(screening)), None)
            if same is None:
                found.append(screening)
            else:
                found[same] = replace(found[same], settings=found[same].settings.stricter(screening.settings))
        return tuple(found)

    def all(self) -> tuple[ResolvedScreening, ...]:
        """Every one that may hold for some call."""
        found = (self.of_api, *self.of_products.values(), self.of_gateway)
        return tuple(screening for screening in found if screening is not None)
