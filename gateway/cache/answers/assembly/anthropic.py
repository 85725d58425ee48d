"""Assembles Anthropic's messages: a message that is begun, blocks in pieces, and how it ended.

Source: Anthropic, "Streaming messages".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from gateway.cache.answers.assembly.joiner import Joiner, settled, weight
from gateway.cache.answers.not_kept import NotKept
from gateway.llm.json_values import mapping, object_in

MOST_BLOCKS = 256
# What arrives of a tool's input until it is whole.
PARTIAL = "partial_json"


class AnthropicAssembly:
    """Ends with `message_stop`."""

    def __init__(self) -> None:
        self._joiner = Joiner()
        self._message: dict[str, Any] | None = None
        self._blocks: list[dict[str, Any]] = []
        self._is_open = False
        self._takes: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
            "message_start": self._start,
            "content_block_start": self._start_block,
            "content_block_delta": self._continue_block,
            "content_block_stop": self._stop_block,
            "message_delta": self._finish,
        }

    @property
    def size(self) -> int:
        """About how many characters are held."""
        return self._joiner.size

    def take(self, data: bytes) -> bool:
        """The data of the next event; true if it was the last one. Raises NotKept."""
        event = object_in(data)
        if event is None:
            raise NotKept("unreadable")
        kind = event.get("type")
        if kind == "error" or event.get("error"):
            raise NotKept("error")
        if kind == "ping":
            return False
        if kind == "message_stop":
            return True
        if not isinstance(kind, str) or kind not in self._takes:
            raise NotKept("unreadable")
        self._takes[kind](event)
        return False

    def whole(self) -> dict[str, Any]:
        """The message as a caller gets it who does not stream."""
        if self._message is None or self._is_open:
            raise NotKept("incomplete")
        return {**self._message, "content": settled(self._blocks)}

    def _start(self, event: Mapping[str, Any]) -> None:
        message = mapping(event.get("message"))
        if self._message is not None or message.get("content"):
            raise NotKept("unreadable")
        self._joiner.size += weight(message)
        self._message = dict(message)

    def _start_block(self, event: Mapping[str, Any]) -> None:
        if self._is_open or event.get("index") != len(self._blocks) or len(self._blocks) >= MOST_BLOCKS:
            raise NotKept("unreadable")
        block: dict[str, Any] = {}
        self._joiner.join(block, mapping(event.get("content_block")))
        self._blocks.append(block)
        self._is_open = True

    def _open_block(self, event: Mapping[str, Any]) -> dict[str, Any]:
        if not self._is_open or event.get("index") != len(self._blocks) - 1:
            raise NotKept("unreadable")
        return self._blocks[-1]

    def _continue_block(self, event: Mapping[str, Any]) -> None:
        block = self._open_block(event)
        delta = mapping(event.get("delta"))
        match delta.get("type"):
            case "text_delta" | "thinking_delta" | "signature_delta" | "input_json_delta" as kind:
                name = PARTIAL if kind == "input_json_delta" else kind.removesuffix("_delta")
                block[name] = self._joiner.text(block.get(name), _text(delta.get(name)))
            case "citations_delta":
                self._joiner.join(block, {"citations": [delta.get("citation")]})
            case _:
                raise NotKept("unreadable")

    def _stop_block(self, event: Mapping[str, Any]) -> None:
        block = self._open_block(event)
        self._is_open = False
        if written := settled(block.pop(PARTIAL, None)):
            block["input"] = _parsed(written)

    def _finish(self, event: Mapping[str, Any]) -> None:
        """How it ended, and what it cost: figures that replace those of the beginning."""
        if self._message is None:
            raise NotKept("unreadable")
        used = {name: value for name, value in mapping(event.get("usage")).items() if value is not None}
        self._joiner.size += weight(event)
        self._message |= mapping(event.get("delta"))
        self._message |= {n: v for n, v in event.items() if n not in ("type", "delta", "usage")}
        self._message["usage"] = {**mapping(self._message.get("usage")), **used}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise NotKept("unreadable")
    return value


def _parsed(written: str) -> dict[str, Any]:
    try:
        parsed = json.loads(written)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise NotKept("unreadable")
    return parsed
