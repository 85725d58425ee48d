"""Tells an Anthropic message as its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.cache.answers.json_bytes import json_bytes
from gateway.cache.answers.telling.events import named_event
from gateway.cache.answers.telling.fresh import Fresh
from gateway.cache.answers.telling.pieces import pieces

Document = Mapping[str, Any]

# Both are null until the message has ended.
ENDS = ("stop_reason", "stop_sequence")


def tell_message(document: Document, fresh: Fresh) -> Iterator[bytes]:
    """Begun, block by block, ended."""
    for event in _tell({**document, "id": fresh.id}):
        yield named_event(event)


def _tell(message: Document) -> Iterator[Document]:
    usage = message["usage"]
    begun = {**message, **dict.fromkeys(ENDS), "content": [], "usage": {**usage, "output_tokens": 0}}
    yield {"type": "message_start", "message": begun}
    for index, block in enumerate(message["content"]):
        opening, deltas = _block(block)
        yield {"type": "content_block_start", "index": index, "content_block": opening}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {name: message.get(name) for name in ENDS}, "usage": usage}
    yield {"type": "message_stop"}


def _block(block: Document) -> tuple[Document, Iterator[Document]]:
    match block["type"]:
        case "text":
            citations = block.get("citations") and []
            return {**block, "text": "", **({"citations": citations} if "citations" in block else {})}, _text(block)
        case "thinking":
            signature = {"signature": ""} if block.get("signature") else {}
            return {**block, "thinking": "", **signature}, _thinking(block)
        case "tool_use":
            return {**block, "input": {}}, _input(block)
    return block, iter(())


def _text(block: Document) -> Iterator[Document]:
    yield from ({"type": "text_delta", "text": piece} for piece in pieces(block.get("text") or ""))
    yield from ({"type": "citations_delta", "citation": citation} for citation in block.get("citations") or ())


def _thinking(block: Document) -> Iterator[Document]:
    yield from ({"type": "thinking_delta", "thinking": piece} for piece in pieces(block.get("thinking") or ""))
    if block.get("signature"):
        yield {"type": "signature_delta", "signature": block["signature"]}


def _input(block: Document) -> Iterator[Document]:
    written = json_bytes(block["input"]).decode() if block["input"] else ""
    yield from ({"type": "input_json_delta", "partial_json": piece} for piece in pieces(written))
