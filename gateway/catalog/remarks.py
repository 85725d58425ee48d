"""What is allowed, and worth a second look before it serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.catalog.loading import where
from gateway.catalog.models import Document
from gateway.catalog.semantic_cache import Cached
from gateway.errors import Fault


def remarks(documents: Iterable[Document]) -> list[Fault]:
    """A sentence for each place. None of them keeps a document from being applied."""
    return [remark for document in documents for remark in _shared_answers(document)]


def _shared_answers(document: Document) -> Iterator[Fault]:
    settings = document.semantic_cache if isinstance(document, Cached) else None
    if settings is not None and not settings.vary_by and settings.mode != "off":
        place = f"{where(document.kind, document.name)}: semanticCache.varyBy"
        yield Fault(place, "is empty: all callers get each other's answers")
