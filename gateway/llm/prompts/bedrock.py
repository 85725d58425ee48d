"""The prompts of Amazon Bedrock's Converse. Texts are counted with OpenAI's newest vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.llm.json_values import mapping, objects, text_of
from gateway.llm.prompts import media
from gateway.llm.prompts.anthropic import MESSAGE_TOKENS
from gateway.llm.prompts.image_formulas import ANTHROPIC
from gateway.llm.prompts.parts import Parts


def converse(document: Mapping[str, Any], model: str | None) -> Parts:
    """model/MODEL/converse and /converse-stream. Pictures by Anthropic's formula, whose models most calls are for."""
    parts = Parts(ANTHROPIC)
    for block in objects(document.get("system")):
        parts.text(block.get("text"))
    for message in objects(document.get("messages")):
        parts.tokens += MESSAGE_TOKENS
        for block in objects(message.get("content")):
            _block(parts, block)
    for tool in objects(mapping(document.get("toolConfig")).get("tools")):
        said = mapping(tool.get("toolSpec"))
        parts.tool(said.get("name"), said.get("description"), mapping(said.get("inputSchema")).get("json"))
    return parts


def _block(parts: Parts, block: Mapping[str, Any]) -> None:
    parts.text(block.get("text"))
    parts.json(block.get("json"))
    use = mapping(block.get("toolUse"))
    parts.text(use.get("name"))
    parts.json(use.get("input"))
    for found in objects(mapping(block.get("toolResult")).get("content")):
        parts.text(found.get("text"))
        parts.json(found.get("json"))
        _media(parts, found)
    _media(parts, block)


def _media(parts: Parts, block: Mapping[str, Any]) -> None:
    if "image" in block:
        parts.tokens += parts.images.inline(_bytes(block["image"]))
    if "document" in block:
        parts.tokens += media.file_tokens(_bytes(block["document"]))


def _bytes(value: Any) -> str:
    return text_of(mapping(mapping(value).get("source")).get("bytes"))
