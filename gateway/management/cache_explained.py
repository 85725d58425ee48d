"""Why the cache would answer a prompt, or would not: the nearest entries of an API, and what the guard says of each."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.backends.client import BackendClient
from gateway.backends.credentials import ManagedIdentity
from gateway.cache.canonical import normalised
from gateway.cache.embedder import Embedder, EmbeddingFailed
from gateway.cache.guard import disagreement, fingerprint
from gateway.cache.guarding.fingerprint import Fingerprint
from gateway.catalog.caches import ResolvedCache
from gateway.errors import CatalogError, Fault
from gateway.management.cached_answers import AnswersStore
from gateway.storage.cache_rows import Kept

if TYPE_CHECKING:
    from gateway.cache.axes import Vector

# A person waits longer than a call would.
EMBEDDING_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One entry. `objection` is the guard's, None if it has none; `prompt` is there if prompts are stored."""

    id: str
    subscription: str
    distance: float
    is_near: bool
    objection: str | None
    prompt: str

    @property
    def verdict(self) -> str:
        """What would come of it, were the rest of the request the same."""
        if not self.is_near:
            return "too far"
        return "would be served" if self.objection is None else self.objection


async def explain(
    store: AnswersStore, api: str, cache: ResolvedCache, prompt: str, limit: int, client_id: str | None
) -> list[Candidate]:
    """The nearest entries, nearest first; raise CatalogError if the prompt cannot be embedded."""
    text = normalised(prompt)
    vector = await _embedded(cache, text, client_id)
    found = [each async for each in _candidates(store, api, cache, text, vector)]
    nearest = heapq.nsmallest(limit, found, key=lambda each: each[0].distance)
    return [await _with_prompt(store, candidate, scope) for candidate, scope in nearest]


async def _embedded(cache: ResolvedCache, text: str, client_id: str | None) -> Vector:
    embeddings = cache.settings.embeddings
    if embeddings is None or cache.backend is None:
        raise CatalogError([Fault("semanticCache", "has no embeddings: only the same text is answered")])
    tokens = ManagedIdentity.of_operator(client_id)
    client = BackendClient(tokens, 1)
    embedder = Embedder(client, cache.backend, embeddings.model, embeddings.dimensions)
    try:
        await embedder.ready()
        return (await embedder.embed(text, EMBEDDING_SECONDS)).vector
    except EmbeddingFailed as failed:
        fault = Fault("semanticCache.embeddings", f"{failed.reason}: backend {cache.backend.name} gave no vector")
        raise CatalogError([fault]) from failed
    finally:
        await embedder.aclose()
        await client.aclose()
        await tokens.aclose()


async def _candidates(
    store: AnswersStore, api: str, cache: ResolvedCache, text: str, vector: Vector
) -> AsyncIterator[tuple[Candidate, str]]:
    seen: set[str] = set()
    async for page in store.scopes(api):
        for scope in page:
            if scope.scope in seen:
                continue
            seen.add(scope.scope)
            asked = fingerprint(text, scope.scope.encode())
            async for rows in store.load(scope.scope):
                for kept in rows.kept:
                    candidate = _candidate(kept, cache, vector, asked)
                    if candidate is not None:
                        yield candidate, scope.scope


def _candidate(kept: Kept, cache: ResolvedCache, vector: Vector, asked: Fingerprint) -> Candidate | None:
    import numpy as np

    other = np.frombuffer(kept.vector or b"", "<f4")
    if kept.space != cache.space or other.shape != vector.shape:
        return None
    distance = max(0.0, 1.0 - float(np.vecdot(other, vector)))
    try:
        objection = disagreement(Fingerprint.from_bytes(kept.entry.fingerprint), asked)
    except ValueError:
        objection = "kept by another version of the guard"
    if not cache.settings.guard:
        objection = None
    entry = kept.entry
    is_near = distance <= cache.settings.score_threshold
    return Candidate(entry.id, entry.subscription, distance, is_near, objection, "")


async def _with_prompt(store: AnswersStore, candidate: Candidate, scope: str) -> Candidate:
    kept = await store.entry(scope, candidate.id)
    return candidate if kept is None else replace(candidate, prompt=kept.entry.prompt)
