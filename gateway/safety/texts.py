"""Everything in a request that a model could be made to read, one text for each message or part of one.

Whatever is not known to be something else is taken for text, so that no field hides any.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.llm.json_values import json_in, mapping, text_of
from gateway.llm.tokens import Protocol
from gateway.safety.asked import Asked

# Settings of a request, of which the model reads nothing.
SETTINGS = frozenset(
    (
        "model",
        "stream",
        "stream_options",
        "user",
        "metadata",
        "store",
        "service_tier",
        "safety_identifier",
        "prompt_cache_key",
        "previous_response_id",
        "conversation",
        "include",
        "truncation",
        "encoding_format",
        "modalities",
        "audio",
        "reasoning_effort",
        "tool_choice",
        "size",
        "quality",
        "background",
        "output_format",
    )
)
# Of the bodies of unknown protocols only these are looked at, and what `textPointers` names.
TEXT_FIELDS = (
    "messages",
    "prompt",
    "input",
    "inputs",
    "text",
    "texts",
    "content",
    "contents",
    "query",
    "queries",
    "question",
    "documents",
    "instructions",
    "instruction",
    "system",
    "context",
    "suffix",
    "tools",
)
MESSAGE_LISTS = ("messages", "contents", "input")
CONTENTS = ("content", "parts")
# Names of things and of kinds of things. A long one is none.
LABELS = frozenset(
    (
        "type",
        "role",
        "id",
        "tool_call_id",
        "call_id",
        "tool_use_id",
        "toolUseId",
        "model",
        "detail",
        "format",
        "mimeType",
        "mime_type",
        "media_type",
        "status",
        "file_id",
    )
)
LONGEST_LABEL = 100
HOLDS_TEXT = (str, list, dict)
BINARY = frozenset({"file_data", "b64_json", "signature", "encrypted_content", "thoughtSignature"})
# Below these stands whatever a tool takes or gives: keys are words of it too.
FREE = frozenset(
    (
        "arguments",
        "input",
        "args",
        "response",
        "json",
        "parameters",
        "input_schema",
        "inputSchema",
        "schema",
        "output",
        "toolUse",
        "functionCall",
        "function_call",
        "functionResponse",
        "function_response",
    )
)
# What a model is given to read by others than the user.
FOUND_TYPES = ("tool_result", "function_call_output", "custom_tool_call_output", "document")
FOUND_KEYS = frozenset({"toolResult", "functionResponse", "function_response", "document"})
FOUND_ROLES = ("tool", "function")
DEEPEST = 64


class _Found:
    __slots__ = ("documents", "images", "prompt", "texts", "unreadable")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.documents: list[str] = []
        self.prompt: list[str] = []
        self.images: list[bytes] = []
        self.unreadable = False


def asked_of(document: Mapping[str, Any], protocol: Protocol | None, pointers: Sequence[str] = ()) -> Asked:
    """What there is to screen in a body. Without a protocol only well-known fields, and what `pointers` name."""
    found = _Found()
    for name, value in document.items():
        if name in SETTINGS if protocol is not None else name not in TEXT_FIELDS:
            continue
        if isinstance(value, HOLDS_TEXT):
            _field(found, name, value)
    for pointer in pointers:
        _add(found, found.texts, _pointed(document, pointer), free=True)
    return Asked(
        tuple(dict.fromkeys(found.texts)),
        "\n".join(found.prompt),
        tuple(dict.fromkeys(found.documents)),
        tuple(found.images),
        found.unreadable,
    )


def _field(found: _Found, name: str, value: Any) -> None:
    if name in ("prompt", "input") and _are_tokens(value):
        found.unreadable = True
        return
    items = value if isinstance(value, list) else [value]
    if name in MESSAGE_LISTS and dict in map(type, items):
        _messages(found, items)
        return
    for item in items:
        text = _add(found, found.texts, item)
        if name in ("prompt", "input", "inputs", "text", "query", "question") and text:
            found.prompt.append(text)


def _messages(found: _Found, messages: Sequence[Any]) -> None:
    for message in messages:
        if isinstance(message, dict) and len(message) == 2:
            # As nearly all are: this takes a third of the time.
            role, content = message.get("role"), message.get("content")
            if isinstance(content, str) and isinstance(role, str) and len(role) <= LONGEST_LABEL:
                if not content or content.isspace():
                    continue
                found.texts.append(content)
                if role == "user":
                    found.prompt = [content]
                elif role in FOUND_ROLES:
                    found.documents.append(content)
                continue
        _message(found, message)


def _message(found: _Found, message: Any) -> None:
    if not isinstance(message, dict):
        _add(found, found.texts, message)
        return
    role = message.get("role")
    is_users = message.get("role", "user") == "user"
    is_found = role in FOUND_ROLES or _is_found(message)
    prompt: list[str] = []
    for name in CONTENTS:
        content = message.get(name)
        for part in content if isinstance(content, list) else (content,):
            text = _add(found, found.texts, part)
            if text and (is_found or (isinstance(part, dict) and _is_found(part))):
                found.documents.append(text)
            elif text and is_users:
                prompt.append(text)
    rest: list[str] = []
    _values(found, message, rest, False, 0, CONTENTS)
    text = _joined(found.texts, rest)
    if text and is_found:
        found.documents.append(text)
    if prompt:
        found.prompt = prompt


def _is_found(part: Mapping[str, Any]) -> bool:
    return part.get("type") in FOUND_TYPES or not FOUND_KEYS.isdisjoint(part)


def _add(found: _Found, texts: list[str], value: Any, free: bool = False) -> str:
    strings: list[str] = []
    _strings(found, value, strings, free, 0)
    return _joined(texts, strings)


def _joined(texts: list[str], strings: list[str]) -> str:
    text = "\n".join(strings)
    if text and not text.isspace():
        texts.append(text)
        return text
    return ""


def _strings(found: _Found, value: Any, strings: list[str], free: bool, depth: int) -> None:
    if depth > DEEPEST:
        found.unreadable = True
    elif isinstance(value, str):
        _string(found, value, strings, free, depth)
    elif isinstance(value, list):
        for item in value:
            _strings(found, item, strings, free, depth + 1)
    elif isinstance(value, dict):
        _values(found, value, strings, free, depth)


def _values(
    found: _Found, holder: Mapping[str, Any], strings: list[str], free: bool, depth: int, but: Sequence[str] = ()
) -> None:
    for name, item in holder.items():
        if name in but or (not free and _is_no_text(found, holder, name, item)):
            continue
        if free:
            strings.append(name)
        _strings(found, item, strings, free or name in FREE, depth + 1)


def _string(found: _Found, value: str, strings: list[str], free: bool, depth: int) -> None:
    if free and value[:1] in ("{", "[") and (document := json_in(value.encode(errors="replace"))) is not None:
        # Escapes in it would hide words.
        _strings(found, document, strings, True, depth + 1)
    else:
        strings.append(value)


def _is_no_text(found: _Found, holder: Mapping[str, Any], name: str, item: Any) -> bool:
    if name == "image" and isinstance(item, dict):
        # Bedrock's: what is around it says that it is a picture.
        _picture(found, "image/", text_of(mapping(item.get("source")).get("bytes")))
        return True
    if not isinstance(item, str):
        return False
    if name in LABELS:
        return len(item) <= LONGEST_LABEL
    if name in ("data", "bytes"):
        if holder.get("type") == "text":
            return False
        _picture(found, text_of(holder.get("media_type") or holder.get("mimeType") or holder.get("mime_type")), item)
        return True
    if name in ("url", "image_url", "fileUri", "file_uri"):
        if item.startswith("data:"):
            _picture(found, item[5:200], item.partition(",")[2])
        return item.startswith(("http://", "https://", "gs://", "data:"))
    return name in BINARY


def _picture(found: _Found, kind: str, data: str) -> None:
    if not (data and kind.startswith("image/")):
        return
    try:
        found.images.append(base64.b64decode(data))
    except (binascii.Error, ValueError):
        found.unreadable = True


def _are_tokens(value: Any) -> bool:
    items: Iterable[Any] = value if isinstance(value, list) else ()
    return any(isinstance(item, int) or (isinstance(item, list) and _are_tokens(item)) for item in items)


def _pointed(document: Any, pointer: str) -> Any:
    value = document
    for token in pointer[1:].split("/"):
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value
