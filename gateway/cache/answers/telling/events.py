"""Writing single events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.cache.answers.json_bytes import json_bytes


def named_event(document: Mapping[str, Any]) -> bytes:
    """An event that is named as its document's `type`, as those of responses and Anthropic are."""
    return b"event: %b\ndata: %b\n\n" % (document["type"].encode(), json_bytes(document))


def chunk_event(opening: bytes, choice: Mapping[str, Any]) -> bytes:
    """A chunk with one choice. `opening` is the JSON of the rest of it, without the brace that closes it."""
    return b'data: %b,"choices":[%b]}\n\n' % (opening, json_bytes(choice))
