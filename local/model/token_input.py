"""Input that may be text or tokens, one or many: `prompt` of completions, `input` of embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.model.reading import invalid, missing
from local.model.tokens import count_tokens


@dataclass(frozen=True, slots=True)
class TokenInput:
    """One text and what it costs. Token numbers mean nothing to this model: it reads them as words."""

    text: str
    tokens: int


def read_inputs(body: dict[str, Any], name: str) -> list[TokenInput]:
    """Read a string, a list of strings, a list of tokens or a list of lists of tokens."""
    value = body.get(name)
    if value is None:
        raise missing(name)
    many = [value] if isinstance(value, str) or _is_tokens(value) else value
    if not isinstance(many, list) or not many:
        raise invalid(name, "a string, a list of strings or a list of tokens, and not empty")
    return [_one(name, item) for item in many]


def _one(name: str, item: Any) -> TokenInput:
    if isinstance(item, str) and item:
        return TokenInput(item, count_tokens(item))
    if _is_tokens(item):
        return TokenInput(" ".join(map(str, item)), len(item))
    raise invalid(name, "a string, a list of strings or a list of tokens, and not empty")


def _is_tokens(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(item) is int for item in value)
