"""What every check asks of the places it reads."""

from __future__ import annotations

from typing import Any

from gateway.cache.answers.not_kept import NotKept


def expect(is_so: bool, reason: str = "unreadable") -> None:
    """Raise NotKept if it is not so."""
    if not is_so:
        raise NotKept(reason)


def object_in_place(value: Any) -> dict[str, Any]:
    """An object, if need be an empty one, and nothing else; null is an empty one."""
    if value is not None and not isinstance(value, dict):
        raise NotKept("unreadable")
    return value or {}


def objects_in(value: Any) -> list[dict[str, Any]]:
    """A list of objects and nothing else; null is an empty one."""
    if value is None:
        return []
    expect(isinstance(value, list) and all(isinstance(entry, dict) for entry in value))
    return list(value)


def text_in(value: Any) -> str:
    """A text; null is an empty one."""
    expect(value is None or isinstance(value, str))
    return value or ""
