"""`llm-semantic-cache-lookup` and `-store` as people write them: what is answered from earlier answers, and to whom."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints, model_validator

from gateway.catalog.backend_settings import BackendChoice
from gateway.catalog.base import Model
from gateway.catalog.counter_keys import WITH_HEADER, WORDS, parse_counter_key
from gateway.catalog.fields import check_printable, write_number

Mode = Literal["off", "exact", "on", "shadow"]

# These ask for embeddings, the others do without.
MODES_BY_MEANING = ("on", "shadow")
LONGEST_DURATION = 30 * 24 * 60 * 60
MOST_PARTS = 10
IN_THE_SCOPE_ANYWAY = ("api", "model")


def check_part(text: str) -> str:
    """One thing that tells callers apart: a part of a counter key, but for those that tell no caller from another."""
    if "+" in text:
        raise ValueError('must be one thing each; in place of "+", write several entries')
    if text in IN_THE_SCOPE_ANYWAY:
        raise ValueError(f'must not be "{text}": no answer passes from one {text} to another anyway')
    if text not in WORDS and text.partition(":")[0] not in WITH_HEADER:
        words = ", ".join(word for word in WORDS if word not in IN_THE_SCOPE_ANYWAY)
        raise ValueError(
            f'must be {words}, "user:HEADER" or "header:HEADER"; any other text would be the same for every caller'
        )
    parse_counter_key(text)
    return text


def check_parts(parts: tuple[str, ...]) -> tuple[str, ...]:
    """No two that are the same; the case of a header's name makes no other."""
    parsed = [parse_counter_key(part) for part in parts]
    twice = [part for part, each in zip(parts, parsed, strict=True) if parsed.count(each) > 1]
    if twice:
        raise ValueError(f"must not name {twice[0]} more than once")
    return parts


def read_mode(value: Any) -> Any:
    """`on` and `off` are truth values to YAML 1.1, and so to whatever made JSON of it."""
    return ("on" if value else "off") if isinstance(value, bool) else value


Number = PlainSerializer(write_number, return_type=float | int)
ModelName = Annotated[str, StringConstraints(max_length=200), AfterValidator(check_printable)]
Part = Annotated[str, StringConstraints(max_length=400), AfterValidator(check_part)]
Parts = Annotated[tuple[Part, ...], Field(strict=False, max_length=MOST_PARTS), AfterValidator(check_parts)]


class Embeddings(Model):
    """Who turns a prompt into a vector. Without `dimensions` the model gives as many as it likes."""

    backend: BackendChoice
    model: ModelName
    dimensions: Annotated[int, Field(ge=1, le=4_096)] | None = None


class SemanticCache(Model):
    """When an earlier answer will do. Of an API's, a product's and the gateway's, only the first there is holds."""

    embeddings: Embeddings | None = None
    # Cosine distance: 0 is the same direction.
    score_threshold: Annotated[float, Field(ge=0, le=1), Number] = 0.05
    # Seconds.
    duration: Annotated[int, Field(ge=1, le=LONGEST_DURATION)] = 3_600
    ignore_system_messages: bool = False
    max_message_count: Annotated[int, Field(ge=1)] | None = None
    vary_by: Parts = ("subscription",)
    guard: bool = True
    mode: Annotated[Mode, BeforeValidator(read_mode)] = "on"
    # Seconds.
    embedding_timeout: Annotated[float, Field(ge=0.01, le=30), Number] = 0.5
    # Of one scope.
    max_entries: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    cache_tool_calls: bool = False
    store_prompts: bool = False

    @model_validator(mode="after")
    def _has_embeddings_if_it_needs_them(self) -> Self:
        if self.embeddings is None and self.mode in MODES_BY_MEANING:
            raise ValueError(f'must have embeddings for the mode "{self.mode}"; "exact" does without')
        return self


class Cached(Model):
    """What an API, a product and the gateway can all say about answering from earlier answers."""

    semantic_cache: SemanticCache | None = None
