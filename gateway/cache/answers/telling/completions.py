"""Tells one choice of a completion as pieces of its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.cache.answers.telling.pieces import described_pieces

Document = Mapping[str, Any]


def tell_completion(choice: Document) -> Iterator[Document]:
    """The text, and why it ended."""
    index, logprobs = choice["index"], choice.get("logprobs")
    for piece, part in described_pieces(choice["text"], _tokens(logprobs or {})):
        said = None if not logprobs else {name: _part(value, part) for name, value in logprobs.items()}
        yield {"index": index, "text": piece, "logprobs": said, "finish_reason": None}
    yield {**choice, "text": "", "logprobs": None}


def _tokens(logprobs: Document) -> list[Any]:
    """None, if what is said of them is not said of every one."""
    lists = [value for value in logprobs.values() if isinstance(value, list)]
    tokens = logprobs.get("tokens")
    return tokens if isinstance(tokens, list) and len(set(map(len, lists))) == 1 else []


def _part(value: Any, part: slice) -> Any:
    """Of lists that have an entry for every token."""
    return value[part] if isinstance(value, list) else value
