"""Tells one choice of a completion as pieces of its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.cache.answers.telling.pieces import described_pieces

Document = Mapping[str, Any]


def tell_completion(choice: Document) -> Iterator[Document]:
    """The text, and why it ended."""
    index, logprobs = choice["index"], choice.get("logprobs")
    lists = [value for value in (logprobs or {}).values() if isinstance(value, list)]
    tokens = (logprobs or {}).get("tokens") if len(set(map(len, lists))) == 1 else None
    for piece, part in described_pieces(choice["text"], tokens or []):
        said = None if not logprobs else {name: _part(value, part) for name, value in logprobs.items()}
        yield {"index": index, "text": piece, "logprobs": said, "finish_reason": None}
    yield {**choice, "text": "", "logprobs": None}


def _part(value: Any, part: slice) -> Any:
    """Of lists that have an entry for every token."""
    return value[part] if isinstance(value, list) else value
