"""What is asked in a request, by protocol: the last thing the user said, and all that came before it.

Everything but that last text is told apart to the last field; texts are normalised, and `cache_control`, which tells a
backend what to keep, is no part of what is said. Each reader raises ValueError for what is no conversation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gateway.cache.canonical import normalised, shortened

SYSTEM_ROLES = ("system", "developer")
TEXT_TYPES = ("text", "input_text")
# Tells a backend what it may keep, and a model nothing.
MARK = "cache_control"


class Conversation(NamedTuple):
    """`before` and `rest` are JSON values. `rest` is what else the user's last message holds, None if it is text alone.

    `messages` does not count those of the system and the developer.
    """

    before: Any
    text: str
    rest: Any
    by_meaning: bool
    messages: int


def chat(document: Mapping[str, Any], ignores_system: bool) -> Conversation:
    """/chat/completions"""
    return _of_messages(document.get("messages"), None, ignores_system)


def anthropic(document: Mapping[str, Any], ignores_system: bool) -> Conversation:
    """/v1/messages"""
    return _of_messages(document.get("messages"), document.get("system"), ignores_system)


def responses(document: Mapping[str, Any], ignores_system: bool) -> Conversation:
    """/responses: a text, or messages and other items."""
    given = document.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    return _of_messages(items, document.get("instructions"), ignores_system)


def completions(document: Mapping[str, Any], ignores_system: bool) -> Conversation:
    """/completions: a text. Several, or token numbers, are only ever compared as they are."""
    prompt = document.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        return Conversation([prompt], "", None, False, 1)
    text = normalised(prompt)
    # An answer that repeats the prompt fits no other prompt.
    return Conversation([], text, None, bool(text) and not document.get("echo"), 1)


def _of_messages(given: Any, system: Any, ignores_system: bool) -> Conversation:
    if not isinstance(given, list) or not given or not all(isinstance(message, dict) for message in given):
        raise ValueError("there are no messages")
    messages: Sequence[dict[str, Any]] = given
    dialog = [message for message in messages if message.get("role") not in SYSTEM_ROLES]
    # What consists of system messages alone would otherwise be the same as everything else of the kind.
    if ignores_system and dialog:
        messages, system = dialog, None
    *earlier, last = messages
    before = [_content(system), [_message(message) for message in earlier]]
    if last.get("role") != "user":
        return Conversation([*before, _message(last), "not asked"], "", None, False, len(dialog))
    text, fields, rest = _asked(last)
    return Conversation([*before, fields], text, rest, bool(text) and rest is None, len(dialog))


def _message(message: dict[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in message.items() if name != MARK}
    if "content" in said:
        said["content"] = _content(said["content"])
    return said


def _content(content: Any) -> Any:
    if isinstance(content, str):
        return normalised(content)
    if not isinstance(content, list):
        return content
    parts = [_part(part) for part in content]
    # Both ways of writing a text mean the same.
    return parts[0]["text"] if len(parts) == 1 and _is_text(parts[0]) and len(parts[0]) == 2 else parts


def _part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    said = {name: value for name, value in part.items() if name != MARK}
    if not _is_text(said):
        return shortened(said)
    said["text"] = normalised(said["text"])
    return said


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in TEXT_TYPES and isinstance(part.get("text"), str)


def _asked(message: dict[str, Any]) -> tuple[str, dict[str, Any], Any]:
    """The text of the user's message, its other fields, and what it holds beside text."""
    fields = {name: value for name, value in message.items() if name not in ("content", MARK)}
    content = message.get("content")
    if isinstance(content, str):
        return normalised(content), fields, None
    if not isinstance(content, list):
        return "", fields, [content]
    text = normalised("\n".join(part["text"] for part in content if _is_text(part)))
    if not all(_is_text(part) for part in content):
        return text, fields, [_part(part) for part in content]
    others = [_others(part) for part in content]
    if any(others):
        fields["content"] = others
    return text, fields, None


def _others(part: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name not in ("type", "text", MARK)}
