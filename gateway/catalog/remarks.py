"""What is allowed, and worth a second look before it serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from gateway.catalog import dimensions
from gateway.catalog.counter_keys import WITH_HEADER, WORDS, parse_counter_key
from gateway.catalog.faults import nearest
from gateway.catalog.limits import Budget, Limits, RateLimit, TokenLimit
from gateway.catalog.loading import where
from gateway.catalog.models import Document
from gateway.catalog.semantic_cache import Cached
from gateway.errors import Fault

Remarks = Iterator[tuple[str, str]]


def remarks(documents: Iterable[Document]) -> list[Fault]:
    """A sentence for each place. None of them keeps a document from being applied."""
    return [
        Fault(f"{where(document.kind, document.name)}: {place}", sentence)
        for document in documents
        for place, sentence in _of(document)
    ]


def _of(document: Document) -> Remarks:
    if isinstance(document, Cached):
        yield from _shared_answers(document)
    if isinstance(document, Limits):
        yield from _fixed_counter_keys(document)
        yield from _headers_without_a_limit(document)
        yield from _fixed_dimensions(document)


def _shared_answers(document: Cached) -> Remarks:
    settings = document.semantic_cache
    if settings is not None and not settings.vary_by and settings.mode != "off":
        yield "semanticCache.varyBy", "is empty: all callers get each other's answers"


def _fixed_counter_keys(document: Limits) -> Remarks:
    """A word with a slip of the pen is a fixed text, and one counter for everybody."""
    fields: Mapping[str, Sequence[TokenLimit | RateLimit | Budget]] = {
        "tokenLimit": document.token_limit,
        "rateLimit": document.rate_limit,
        "budget": document.budget,
    }
    for field, limits in fields.items():
        for place, limit in _places(field, limits):
            parts = parse_counter_key(limit.counter_key)
            shared = ", who share one counter" if len(parts) == 1 else ""
            for part in parts:
                if part.kind == "text":
                    meant = _meant(part.name, (*WORDS, *WITH_HEADER))
                    yield (
                        f"{place}.counterKey",
                        f'"{part.name}" is a fixed text, the same for all callers{shared}{meant}',
                    )


def _headers_without_a_limit(document: Limits) -> Remarks:
    for place, limit in _places("tokenLimit", document.token_limit):
        if limit.remaining_tokens_header_name and limit.tokens_per_minute is None:
            yield f"{place}.remainingTokensHeaderName", "is never sent, for there is no tokensPerMinute"
        if limit.remaining_quota_tokens_header_name and limit.token_quota is None:
            yield f"{place}.remainingQuotaTokensHeaderName", "is never sent, for there is no tokenQuota"


def _fixed_dimensions(document: Limits) -> Remarks:
    """Of what says `text:` nobody doubts that it is meant."""
    written = document.token_metrics.dimensions if document.token_metrics else {}
    for name, value in written.items():
        if value is None or value.startswith(dimensions.TEXT_PREFIX):
            continue
        if dimensions.parse_dimension(name, value).kind == "text":
            meant = _meant(value.partition(":")[0], (*dimensions.WORDS, "header", "text"))
            says_so = f'("text:{value}" says that it is meant)'
            yield (
                f"tokenMetrics.dimensions.{name}",
                f'"{value}" is a fixed text, the same for every call {says_so}{meant}',
            )


def _meant(word: str, known: Sequence[str]) -> str:
    near = nearest(word, known)
    return f'; did you mean "{near}"?' if near else ""


def _places[Limit](field: str, limits: Sequence[Limit]) -> Iterator[tuple[str, Limit]]:
    """As they are written: alone without a list."""
    for number, limit in enumerate(limits):
        yield field if len(limits) == 1 else f"{field}[{number}]", limit
