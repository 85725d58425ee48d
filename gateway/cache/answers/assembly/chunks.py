"""Assembles chat completions and completions: chunks that each bring a piece of one choice or more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from gateway.cache.answers.assembly.joiner import Joiner, settled
from gateway.cache.answers.checks.filters import check_filters
from gateway.cache.answers.checks.shape import object_in_place, objects_in
from gateway.cache.answers.not_kept import NotKept
from gateway.llm.json_values import object_in

MOST_CHOICES = 128

# Each chunk has its own: padding, and positions within the stream.
OF_ONE_CHUNK = frozenset({"obfuscation", "p", "content_filter_offsets"})
# Some servers say another with every chunk. An answer that is given anew has new ones.
FIRST_HOLDS = ("id", "created")
LAST_HOLDS = ("usage", "system_fingerprint", "service_tier")


class ChunkAssembly(ABC):
    """Ends with `[DONE]`. Fields it does not know belong to the answer, or to a choice, if they do not change."""

    def __init__(self, object_name: str) -> None:
        self._object_name = object_name
        self._joiner = Joiner()
        self._head: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}

    @property
    def size(self) -> int:
        """About how many characters are held."""
        return self._joiner.size

    def take(self, data: bytes) -> bool:
        """The data of the next event; true if it was the last one. Raises NotKept."""
        if data.strip() == b"[DONE]":
            return True
        chunk = object_in(data)
        if chunk is None:
            raise NotKept("unreadable")
        if chunk.get("error"):
            raise NotKept("error")
        choices = chunk.pop("choices", None) or []
        if not isinstance(choices, list):
            raise NotKept("unreadable")
        check_filters(chunk)
        self._take_head(chunk)
        for choice in choices:
            self._take_choice(object_in_place(choice))
        return False

    def whole(self) -> dict[str, Any]:
        """The answer as a caller gets it who does not stream."""
        if sorted(self._choices) != list(range(len(self._choices))):
            raise NotKept("incomplete")
        choices = [self._settled_choice(settled(choice)) for _, choice in sorted(self._choices.items())]
        return {"id": "", "object": self._object_name, "created": 0, **self._head, "choices": choices}

    @abstractmethod
    def _take_piece(self, whole: dict[str, Any], choice: dict[str, Any]) -> None:
        """Join what is generated, and take it out of the choice."""

    @abstractmethod
    def _settled_choice(self, choice: dict[str, Any]) -> dict[str, Any]:
        """With what the whole form has and the stream may leave out."""

    def _take_head(self, chunk: dict[str, Any]) -> None:
        chunk.pop("object", None)
        for name in FIRST_HOLDS:
            value = chunk.pop(name, None)
            if value and not self._head.get(name):
                self._head[name] = value
        if chunk.get("usage") is None:
            # Null in every chunk but the last, where the caller wants it at all.
            chunk.pop("usage", None)
        for name in LAST_HOLDS:
            if chunk.get(name) is not None:
                self._head[name] = chunk.pop(name)
        self._joiner.agree(self._head, _lasting(chunk))

    def _take_choice(self, choice: Mapping[str, Any]) -> None:
        index = choice.get("index", 0)
        if type(index) is not int or not 0 <= index < MOST_CHOICES:
            raise NotKept("unreadable")
        whole = self._choices.setdefault(index, {"index": index})
        said = _lasting(choice)
        self._take_piece(whole, said)
        if logprobs := said.pop("logprobs", None):
            whole["logprobs"] = whole.get("logprobs") or {}
            self._joiner.join(whole["logprobs"], object_in_place(logprobs))
        check_filters(said)
        if verdicts := object_in_place(said.pop("content_filter_results", None)):
            # The filter speaks several times, the last time of all.
            whole["content_filter_results"] = {**whole.get("content_filter_results", {}), **verdicts}
        self._joiner.agree(whole, said)


class ChatAssembly(ChunkAssembly):
    """Messages, in deltas."""

    def __init__(self) -> None:
        super().__init__("chat.completion")

    def _take_piece(self, whole: dict[str, Any], choice: dict[str, Any]) -> None:
        message = whole.setdefault("message", {})
        self._joiner.join(message, _lasting(object_in_place(choice.pop("delta", None))))

    def _settled_choice(self, choice: dict[str, Any]) -> dict[str, Any]:
        message = {"role": "assistant", "content": None, "refusal": None, **choice.pop("message")}
        if isinstance(calls := message.get("tool_calls"), list):
            message["tool_calls"] = _without_indexes(objects_in(calls))
        return {"index": choice.pop("index"), "message": message, "logprobs": None, "finish_reason": None, **choice}


class CompletionsAssembly(ChunkAssembly):
    """Plain texts."""

    def __init__(self) -> None:
        super().__init__("text_completion")

    def _take_piece(self, whole: dict[str, Any], choice: dict[str, Any]) -> None:
        text = choice.pop("text", None)
        if text is not None and not isinstance(text, str):
            raise NotKept("unreadable")
        whole["text"] = self._joiner.text(whole.get("text"), text or "")

    def _settled_choice(self, choice: dict[str, Any]) -> dict[str, Any]:
        return {"index": choice.pop("index"), "text": "", "logprobs": None, "finish_reason": None, **choice}


def _without_indexes(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """In their order, which is all that the whole form says; those without an index come whole and in order."""
    indexes = [call.pop("index", None) for call in calls]
    order = sorted(range(len(calls)), key=lambda place: indexes[place] or 0)
    return [calls[place] for place in order]


def _lasting(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in OF_ONE_CHUNK}
