"""The prompts of Gemini's own protocol (`generateContent`). Texts are counted with OpenAI's newest vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.llm.json_values import mapping, objects, text_of
from gateway.llm.prompts import media
from gateway.llm.prompts.image_formulas import GEMINI
from gateway.llm.prompts.parts import Parts

# "Understand and count tokens", "Multimodal tokens".
AUDIO_TOKENS_A_SECOND = 32
VIDEO_TOKENS_A_SECOND = 263
VIDEO_BYTES_A_SECOND = 250_000


def generate_content(document: Mapping[str, Any], model: str | None) -> Parts:
    """models/MODEL:generateContent and :streamGenerateContent. Field names may be in either spelling."""
    parts = Parts(GEMINI)
    system = document.get("systemInstruction") or document.get("system_instruction")
    contents = document.get("contents")
    for content in [*objects(system), *objects(contents)]:
        for part in objects(content.get("parts")):
            _part(parts, part)
    for tool in objects(document.get("tools")):
        for declaration in objects(tool.get("functionDeclarations") or tool.get("function_declarations")):
            parts.tool(declaration.get("name"), declaration.get("description"), declaration.get("parameters"))
    return parts


def _part(parts: Parts, part: Mapping[str, Any]) -> None:
    parts.text(part.get("text"))
    for name in ("functionCall", "function_call", "functionResponse", "function_response"):
        call = mapping(part.get(name))
        parts.text(call.get("name"))
        parts.json(call.get("args") or call.get("response"))
    inline = mapping(part.get("inlineData") or part.get("inline_data"))
    if inline:
        parts.tokens += _inline(parts, inline)


def _inline(parts: Parts, inline: Mapping[str, Any]) -> int:
    data = text_of(inline.get("data"))
    form = str(inline.get("mimeType") or inline.get("mime_type") or "")
    if form.startswith("image/"):
        return parts.images.inline(data)
    if form.startswith("audio/"):
        return round(media.audio_seconds(data, form.removeprefix("audio/")) * AUDIO_TOKENS_A_SECOND)
    if form.startswith("video/"):
        return round(media.base64_bytes(data) / VIDEO_BYTES_A_SECOND * VIDEO_TOKENS_A_SECOND)
    return media.file_tokens(data)
