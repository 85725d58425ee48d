"""The prompts of Anthropic's messages. Its tokenizer is not public: texts are counted with OpenAI's newest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.llm.json_values import mapping, objects, text_of
from gateway.llm.prompts import media
from gateway.llm.prompts.image_formulas import ANTHROPIC
from gateway.llm.prompts.parts import Parts

MESSAGE_TOKENS = 3

# "Tool use", "Pricing": what the model is told when there are tools (with `tool_choice` auto, Claude 4).
TOOLS_TOKENS = 346


def messages(document: Mapping[str, Any], model: str | None) -> Parts:
    """/v1/messages"""
    parts = Parts(ANTHROPIC)
    _content(parts, document.get("system"))
    for message in objects(document.get("messages")):
        parts.tokens += MESSAGE_TOKENS
        _content(parts, message.get("content"))
    tools = list(objects(document.get("tools")))
    parts.tokens += TOOLS_TOKENS if tools else 0
    for tool in tools:
        parts.tool(tool.get("name"), tool.get("description"), tool.get("input_schema"))
    return parts


def _content(parts: Parts, content: Any, depth: int = 0) -> None:
    parts.text(content)
    if depth > MAXIMUM_DEPTH:
        return
    for block in objects(content):
        for field in ("text", "thinking", "name", "title", "context"):
            parts.text(block.get(field))
        if block.get("type") in ("tool_use", "server_tool_use"):
            parts.json(block.get("input"))
        _source(parts, block, depth)
        # What a tool has found: a text, or blocks again.
        _content(parts, block.get("content"), depth + 1)


# A tool's result holds blocks, a document in it may hold blocks too, and there it ends.
MAXIMUM_DEPTH = 4


def _source(parts: Parts, block: Mapping[str, Any], depth: int) -> None:
    source = mapping(block.get("source"))
    if not source:
        return
    data = text_of(source.get("data"))
    if source.get("type") == "text":
        parts.text(data)
    elif source.get("type") == "content":
        _content(parts, source.get("content"), depth + 1)
    elif block.get("type") == "image":
        parts.tokens += parts.images.inline(data)
    else:
        parts.tokens += media.file_tokens(data)
