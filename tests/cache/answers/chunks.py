"""Streams of chat completions, piece by piece."""

from __future__ import annotations

from typing import Any

from tests.cache.answers.samples import event

DONE = b"data: [DONE]\n\n"


def chunks(*choices: Any, **head: Any) -> bytes:
    """A stream of chunks of one choice each."""
    opening = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", **head}
    return b"".join(event({**opening, "choices": [{"index": 0, **piece}]}) for piece in choices) + DONE


def delta(reason: str | None = None, **fields: Any) -> dict[str, Any]:
    """What a chunk's choice brings."""
    return {"delta": fields, "finish_reason": reason}


def called(index: int | None, **fields: Any) -> dict[str, Any]:
    """A piece of a call."""
    return delta(tool_calls=[fields if index is None else {"index": index, **fields}])
