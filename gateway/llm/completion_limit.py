"""The most tokens that a request lets its model generate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.llm.json_values import mapping
from gateway.llm.tokens import WITHOUT_COMPLETION, Protocol

# Where each protocol says it; the first that is there counts. OpenAI's older name is still taken by other servers.
PLACES: Mapping[Protocol, tuple[tuple[str, ...], ...]] = {
    Protocol.CHAT: (("max_completion_tokens",), ("max_tokens",)),
    Protocol.COMPLETIONS: (("max_tokens",),),
    Protocol.RESPONSES: (("max_output_tokens",),),
    Protocol.ANTHROPIC: (("max_tokens",),),
    Protocol.GEMINI: (("generationConfig", "maxOutputTokens"), ("generation_config", "max_output_tokens")),
    Protocol.BEDROCK: (("inferenceConfig", "maxTokens"),),
}

# So many choices at most are taken seriously: a backend refuses more, and the product must stay a sane number.
MOST_CHOICES = 1_000
MOST_TOKENS = 100_000_000


class UnusableLimit(ValueError):
    """A request sets a limit that is none. `name` is the parameter; the text says what it has to be."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name} must be a whole number from 1 to {MOST_TOKENS:,}: so many tokens are reserved.")


def most_completion_tokens(protocol: Protocol | None, document: Mapping[str, Any] | None) -> int | None:
    """For all choices together; None if the request sets no limit. Raises UnusableLimit if what it sets is none."""
    if protocol in WITHOUT_COMPLETION:
        return 0
    if protocol is None or document is None:
        return None
    for place in PLACES[protocol]:
        said = _at(document, place)
        if said is None:
            continue
        limit = _number(said, MOST_TOKENS)
        if limit is None:
            raise UnusableLimit(".".join(place))
        return limit * _choices(document)
    return None


def _choices(document: Mapping[str, Any]) -> int:
    """`best_of` generates more than it shows, and all of it is paid for."""
    asked = (
        document.get("n"),
        document.get("best_of"),
        mapping(document.get("generationConfig")).get("candidateCount"),
    )
    return max(1, *(_number(value, MOST_CHOICES) or 1 for value in asked))


def _at(document: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    *holders, name = place
    for holder in holders:
        document = mapping(document.get(holder))
    return document.get(name)


def _number(value: Any, most: int) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 < value <= most else None
