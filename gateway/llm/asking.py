"""Asks a backend for the usage of a streamed chat completion, which many tell only then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.llm.json_values import mapping

OPTIONS = "stream_options"
ASKED = {"include_usage": True}


def asks_for_usage(document: Mapping[str, Any]) -> bool:
    """True if the caller itself wants the event with the usage."""
    return mapping(document.get(OPTIONS)).get("include_usage") is True


def with_usage_asked_for(content: bytes, document: Mapping[str, Any]) -> bytes:
    """The body of a streamed chat completion, asking for its usage. Everything else in it keeps its spelling."""
    if OPTIONS in document:
        changed = {**document, OPTIONS: {**mapping(document[OPTIONS]), **ASKED}}
        try:
            return json.dumps(changed, separators=(",", ":"), allow_nan=False).encode()
        except ValueError:
            # A number like 1e999, which is not to become something else.
            return content
    comma = b"," if document else b""
    return content.rstrip().removesuffix(b"}") + comma + b'"stream_options":{"include_usage":true}}'
