"""Reading JSON that somebody else wrote: whatever stands in a place, the reader gets the type it can use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def json_in(content: bytes) -> Any:
    """The JSON that these bytes are; None if they are anything else."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def object_in(content: bytes) -> dict[str, Any] | None:
    """The JSON object that these bytes are; None if they are anything else."""
    document = json_in(content)
    return document if isinstance(document, dict) else None


def mapping(value: Any) -> Mapping[str, Any]:
    """The object, or an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> Sequence[Mapping[str, Any]]:
    """The objects in a list; an object by itself counts as a list of one."""
    if isinstance(value, list):
        return [item for item in value if isinstance(item, dict)]
    return (value,) if isinstance(value, dict) else ()


def text_of(value: Any) -> str:
    """The text, or an empty one in place of anything else."""
    return value if isinstance(value, str) else ""
