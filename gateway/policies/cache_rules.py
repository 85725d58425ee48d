"""The cache's settings for calls to one API through one product, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cache.question import Bypass, Question, ask
from gateway.cache.scope import Kind
from gateway.cache.service import AnswerCache
from gateway.call import Call
from gateway.policies.counter_keys import counter_key
from gateway.policies.forward import KEY_QUERIES

if TYPE_CHECKING:
    from gateway.catalog.caches import ResolvedCache
    from gateway.catalog.models import Product
    from gateway.catalog.snapshot import ApiEntry

# Headers that go to the backend and shape what it answers.
SHAPING_HEADERS = (
    b"anthropic-version",
    b"anthropic-beta",
    b"openai-beta",
    b"openai-organization",
    b"openai-project",
)


class CacheRules:
    """`serves` is False where the cache is only to look; `by_meaning` where only the same text will do."""

    def __init__(self, entry: ApiEntry, resolved: ResolvedCache, cache: AnswerCache) -> None:
        self.settings = settings = resolved.settings
        self.api = entry.api.name
        self.is_openai = entry.api.type == "openai"
        self.serves = settings.mode != "shadow"
        self.embedder = None
        self.space = resolved.space
        self._vary = [counter_key(part) for part in settings.vary_by]
        embeddings = settings.embeddings
        if embeddings is not None and resolved.backend is not None:
            self.embedder = cache.embedder(resolved.backend, embeddings.model, embeddings.dimensions)

    @classmethod
    def of(cls, entry: ApiEntry, product: Product | None, cache: AnswerCache) -> CacheRules | None:
        """None where nothing is to be cached."""
        resolved = entry.caches.holding(product)
        return None if resolved is None else cls(entry, resolved, cache)

    @property
    def kind(self) -> Kind:
        """What the scopes of these rules hold. The number of dimensions may be known with the first vector only."""
        dimensions = (self.embedder.dimensions or 0) if self.embedder is not None else 0
        return Kind(self.space, dimensions, self.settings.max_entries)

    def question(self, call: Call) -> Question:
        """What a call asks; raise Bypass."""
        if call.document is None or call.protocol is None or call.operation is None or call.method != "POST":
            raise Bypass("operation")
        shaping = [call.header(name) or "" for name in SHAPING_HEADERS]
        return ask(
            call.document,
            call.protocol,
            api=self.api,
            model=call.model,
            vary=[*(part(call) for part in self._vary), call.operation.path, _shaping_query(call.query), *shaping],
            space=self.space,
            ignore_system_messages=self.settings.ignore_system_messages,
            max_message_count=self.settings.max_message_count,
        )


def _shaping_query(query: bytes) -> str:
    """Such as Azure's `api-version`. Where callers put their gateway keys shapes nothing."""
    parts = query.decode("latin-1").split("&")
    return "&".join(part for part in parts if part.partition("=")[0].lower() not in KEY_QUERIES)
