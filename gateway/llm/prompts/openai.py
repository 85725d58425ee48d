"""The prompts of OpenAI's operations, by OpenAI's published recipe ("How to count tokens with tiktoken").

The numbers in it are what the chat format costs: a message is wrapped in three tokens, a name takes one more, and the
answer begins with three. Tools are put before the model in a notation of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.llm.json_values import mapping, objects, text_of
from gateway.llm.model_names import without_provider
from gateway.llm.prompts import media
from gateway.llm.prompts.image_formulas import openai_images
from gateway.llm.prompts.parts import Parts

MESSAGE_TOKENS = 3
NAME_TOKENS = 1
ANSWER_TOKENS = 3

# "Realtime and audio", "Costs": a token for each 100 ms that a user speaks.
AUDIO_TOKENS_A_SECOND = 10


class _ToolCosts(NamedTuple):
    function: int
    properties: int = 3
    key: int = 3
    enumeration: int = -3
    choice: int = 3
    all: int = 12


# In both vocabularies; asking the tokenizer would take longer than everything else about a short message.
ROLES_OF_ONE_TOKEN = frozenset({"system", "user", "assistant", "developer", "tool", "function"})

NEWER = _ToolCosts(function=7)
OLDER = _ToolCosts(function=10)
OLDER_MODELS = ("gpt-4", "gpt-3.5", "gpt-35")
NEWER_MODELS = ("gpt-4o", "gpt-4.", "chatgpt-4o")


def chat(document: Mapping[str, Any], model: str | None) -> Parts:
    """/chat/completions"""
    parts = Parts(openai_images(model), tokens=ANSWER_TOKENS)
    for message in objects(document.get("messages")):
        _message(parts, message)
    if "tools" in document or "functions" in document:
        functions = [mapping(tool.get("function")) for tool in objects(document.get("tools"))]
        _tools(parts, [*functions, *objects(document.get("functions"))], model)
    if "response_format" in document:
        parts.json(mapping(mapping(document["response_format"]).get("json_schema")).get("schema"))
    return parts


def is_plain_chat(document: Mapping[str, Any]) -> bool:
    """Whether a chat is nothing but roles and texts, as nearly all are."""
    if "tools" in document or "functions" in document or "response_format" in document:
        return False
    messages = document.get("messages")
    if not isinstance(messages, list):
        return False
    for message in messages:
        if not isinstance(message, dict) or len(message) != 2 or not isinstance(message.get("content"), str):
            return False
    return True


def responses(document: Mapping[str, Any], model: str | None) -> Parts:
    """/responses"""
    parts = Parts(openai_images(model), tokens=ANSWER_TOKENS)
    if isinstance(document.get("instructions"), str):
        _message(parts, {"role": "developer", "content": document["instructions"]})
    given = document.get("input")
    for item in objects({"role": "user", "content": given} if isinstance(given, str) else given):
        _message(parts, item)
    _tools(parts, [tool for tool in objects(document.get("tools")) if tool.get("type") == "function"], model)
    parts.json(mapping(mapping(document.get("text")).get("format")).get("schema"))
    return parts


def completions(document: Mapping[str, Any], model: str | None) -> Parts:
    """/completions: a text or several, or token numbers."""
    parts = _plain(document.get("prompt"))
    parts.text(document.get("suffix"))
    return parts


def embeddings(document: Mapping[str, Any], model: str | None) -> Parts:
    """/embeddings, /moderations and /audio/speech: a text or several, or token numbers."""
    return _plain(document.get("input"))


def images(document: Mapping[str, Any], model: str | None) -> Parts:
    """/images/generations"""
    return _plain(document.get("prompt"))


def _plain(given: Any) -> Parts:
    parts = Parts(openai_images(None))
    for item in given if isinstance(given, list) else [given]:
        if isinstance(item, str):
            parts.text(item)
        elif isinstance(item, int):
            parts.tokens += 1
        elif isinstance(item, list):
            parts.tokens += len(item)
        else:
            _content(parts, [item])
    return parts


def _message(parts: Parts, message: Mapping[str, Any]) -> None:
    parts.tokens += MESSAGE_TOKENS
    role = message.get("role")
    if isinstance(role, str) and role in ROLES_OF_ONE_TOKEN:
        parts.tokens += 1
    else:
        parts.text(role)
    if len(message) == 2 and isinstance(content := message.get("content"), str):
        # Nearly all messages are a role and a text.
        parts.text(content)
        return
    for field in ("name", "refusal", "reasoning_content", "arguments"):
        parts.text(message.get(field))
    if isinstance(message.get("name"), str):
        parts.tokens += NAME_TOKENS
    for field in ("content", "output", "summary"):
        _content(parts, message.get(field))
    calls = [call.get("function") for call in objects(message.get("tool_calls"))]
    for call in objects([*calls, message.get("function_call")]):
        parts.text(call.get("name"))
        parts.json(call.get("arguments"))


def _content(parts: Parts, content: Any) -> None:
    parts.text(content)
    for part in objects(content):
        parts.text(part.get("text"))
        parts.text(part.get("refusal"))
        for kind, count in MEDIA.items():
            if kind in part:
                parts.tokens += count(parts, part)


def _picture(parts: Parts, part: Mapping[str, Any]) -> int:
    given = part["image_url"]
    source = mapping(given) or {"url": given, "detail": part.get("detail")}
    return parts.images.at_url(text_of(source.get("url")), str(source.get("detail") or "auto"))


def _audio(parts: Parts, part: Mapping[str, Any]) -> int:
    audio = mapping(part["input_audio"])
    seconds = media.audio_seconds(str(audio.get("data") or ""), str(audio.get("format")))
    return round(seconds * AUDIO_TOKENS_A_SECOND)


def _file(parts: Parts, part: Mapping[str, Any]) -> int:
    data = mapping(part["file"]).get("file_data")
    return media.file_tokens(str(data or "").rpartition(",")[2])


def _input_file(parts: Parts, part: Mapping[str, Any]) -> int:
    return media.file_tokens(str(part["file_data"] or "").rpartition(",")[2])


# By the field that holds it, in chat completions and responses.
MEDIA = {"image_url": _picture, "input_audio": _audio, "file": _file, "file_data": _input_file}


def _tools(parts: Parts, functions: list[Mapping[str, Any]], model: str | None) -> None:
    if not functions:
        return
    name = without_provider(model)
    costs = OLDER if name.startswith(OLDER_MODELS) and not name.startswith(NEWER_MODELS) else NEWER
    parts.tokens += costs.all
    for function in functions:
        parts.tokens += costs.function
        parts.text(f"{function.get('name')}:{_without_stop(function.get('description'))}")
        _properties(parts, function.get("parameters"), costs)


def _properties(parts: Parts, schema: Any, costs: _ToolCosts, depth: int = 0) -> None:
    properties = mapping(mapping(schema).get("properties"))
    if not properties or depth > MAXIMUM_DEPTH:
        return
    parts.tokens += costs.properties
    for key, given in properties.items():
        field = mapping(given)
        parts.tokens += costs.key
        choices = field.get("enum")
        if isinstance(choices, list):
            parts.tokens += costs.enumeration + costs.choice * len(choices)
            for choice in choices:
                parts.json(choice)
        parts.text(f"{key}:{field.get('type')}:{_without_stop(field.get('description'))}")
        _properties(parts, field, costs, depth + 1)
        _properties(parts, field.get("items"), costs, depth + 1)


# A schema that nests deeper is not one that a model is given.
MAXIMUM_DEPTH = 32


def _without_stop(description: Any) -> str:
    return text_of(description).removesuffix(".")
