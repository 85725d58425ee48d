"""Joins the pieces in which streams deliver: texts grow, labels stay, lists grow or are joined entry by entry.

Where pieces could be joined in more than one way, the answer is not kept: `NotKept("unreadable")`.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any

from gateway.cache.answers.not_kept import NotKept

# Said once, or the same with every piece.
LABELS = frozenset({"format", "id", "index", "name", "role", "type"})
# Known to come in pieces. Other texts are joined too, unless a piece repeats what there is, as labels would.
TEXTS = frozenset(
    {"arguments", "content", "input", "partial_json", "reasoning", "reasoning_content", "refusal", "text", "thinking"}
)
# Lists whose entries come in pieces, told apart by their index. In others an index is anything.
INDEXED = frozenset({"tool_calls", "reasoning_details"})
MOST_INDEXED = 256
# What a value that is no text takes, about.
VALUE_SIZE = 16


class Joiner:
    """`size` is about how many characters all that it has joined are."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0

    def join(self, whole: dict[str, Any], piece: Mapping[str, Any]) -> None:
        """Add a piece of an object; its texts are StringIO until `settled`."""
        for name, value in piece.items():
            held = whole.get(name)
            if value is None:
                whole.setdefault(name, None)
            elif isinstance(value, str) and name not in LABELS:
                whole[name] = self._text(name, held, value)
            elif isinstance(value, dict):
                whole[name] = {} if held is None else held
                _refuse(not isinstance(whole[name], dict))
                self.join(whole[name], value)
            elif isinstance(value, list):
                whole[name] = [] if held is None else held
                _refuse(not isinstance(whole[name], list))
                self._join_list(whole[name], value, name in INDEXED)
            else:
                whole[name] = self.agreed(held, value)

    def agree(self, whole: dict[str, Any], piece: Mapping[str, Any]) -> None:
        """Add what is said about the whole answer: once, or the same each time."""
        for name, value in piece.items():
            whole[name] = self.agreed(whole.get(name), value)

    def agreed(self, held: Any, value: Any) -> Any:
        """The one of the two that says something; two that differ are none."""
        if held == value or _says_nothing(value):
            return value if held is None else held
        if isinstance(held, dict) and isinstance(value, dict):
            merged = dict(held)
            self.agree(merged, value)
            return merged
        if not _says_nothing(held):
            raise NotKept("unreadable")
        self.size += weight(value)
        return value

    def text(self, held: Any, value: str) -> StringIO:
        """A text that grows."""
        text = StringIO() if held is None else held
        if not isinstance(text, StringIO):
            raise NotKept("unreadable")
        text.write(value)
        self.size += len(value)
        return text

    def _text(self, name: str, held: Any, value: str) -> StringIO:
        if name not in TEXTS and value and isinstance(held, StringIO) and held.tell() == len(value):
            # Either a label that is repeated, or a text that happens to repeat itself.
            _refuse(held.getvalue() == value)
        return self.text(held, value)

    def _join_list(self, whole: list[Any], entries: list[Any], is_indexed: bool) -> None:
        for entry in entries:
            if is_indexed and isinstance(entry, dict) and entry.get("index") is not None:
                _refuse(type(entry["index"]) is not int)
                self.join(_entry(whole, entry["index"]), entry)
            else:
                whole.append(entry)
            self.size += weight(entry)


def settled(value: Any) -> Any:
    """With texts in place of what they grew in."""
    if isinstance(value, StringIO):
        return value.getvalue()
    if isinstance(value, dict):
        return {name: settled(part) for name, part in value.items()}
    return [settled(part) for part in value] if isinstance(value, list) else value


def weight(value: Any) -> int:
    """About how many characters a value is as JSON."""
    if isinstance(value, str):
        return VALUE_SIZE + len(value)
    if isinstance(value, dict):
        return VALUE_SIZE + sum(VALUE_SIZE + weight(part) for part in value.values())
    return VALUE_SIZE + sum(map(weight, value)) if isinstance(value, list) else VALUE_SIZE


def _says_nothing(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _refuse(unclear: bool) -> None:
    if unclear:
        raise NotKept("unreadable")


def _entry(whole: list[Any], index: int) -> dict[str, Any]:
    for entry in reversed(whole):
        if isinstance(entry, dict) and entry.get("index") == index:
            return entry
    _refuse(len(whole) >= MOST_INDEXED)
    new: dict[str, Any] = {}
    whole.append(new)
    return new
