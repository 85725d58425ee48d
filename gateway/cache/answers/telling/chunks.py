"""Tells chat completions and completions as chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, repeat
from typing import Any

from gateway.cache.answers.json_bytes import json_bytes
from gateway.cache.answers.telling.events import chunk_event
from gateway.cache.answers.telling.fresh import Fresh
from gateway.llm.sse import DONE

Document = Mapping[str, Any]
# The choices of a stream that tell one choice of the answer.
TellChoice = Callable[[Document], Iterator[Document]]

HEAD = ("id", "object", "created", "choices", "usage")


def tell_chunks(document: Document, fresh: Fresh, object_name: str, tell_choice: TellChoice) -> Iterator[bytes]:
    """One choice after the other, the usage if it is wanted and known, and `[DONE]`."""
    usage = document.get("usage") if fresh.wants_usage else None
    head: dict[str, Any] = {"id": fresh.id, "object": object_name, "created": fresh.now}
    said = {name: value for name, value in document.items() if name not in HEAD}
    once = {name: value for name, value in said.items() if isinstance(value, dict | list)}
    each = head | {name: value for name, value in said.items() if name not in once}
    # Once the last chunk is to have a usage, all the others say that theirs is null.
    each |= {} if usage is None else {"usage": None}
    openings = chain([json_bytes(each | once)[:-1]], repeat(json_bytes(each)[:-1]))
    for place, choice in enumerate(document["choices"]):
        for piece in tell_choice({"index": place, **choice}):
            yield chunk_event(next(openings), piece)
    if usage is not None:
        yield b"data: %b\n\n" % json_bytes(each | {"choices": [], "usage": usage})
    yield DONE
