"""The last words of a stream that the gateway ends before its model does, in the stream's own protocol."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from gateway.llm.json_values import mapping, objects
from gateway.llm.sse import DONE
from gateway.llm.tokens import Protocol

# Why it ends: at a length that is not to be exceeded, or before something that nobody is to read.
Reason = Literal["length", "content_filter"]

# What the end of a stream says again of what came before, unless it is long: then it may be anything.
OF_CHUNK = ("id", "created", "model")
OF_RESPONSE = ("id", "object", "created_at", "model")
LONGEST_REPEATED = 100

OBJECTS = {Protocol.CHAT: "chat.completion.chunk", Protocol.COMPLETIONS: "text_completion"}


class Ending:
    """Follows a stream as far as its end needs to know it."""

    __slots__ = ("_choices", "_finished", "_finishing", "_last", "_protocol", "_response")

    def __init__(self, protocol: Protocol | None) -> None:
        self._protocol = protocol
        self._last: Mapping[str, Any] = {}
        self._response: Mapping[str, Any] = {}
        self._choices: set[int] = set()
        self._finishing: set[int] = set()
        self._finished: set[int] = set()

    def see(self, document: Any) -> None:
        """The next event, which the caller may get."""
        self._last = mapping(document) or self._last
        self._response = mapping(mapping(document).get("response")) or self._response
        for choice in objects(mapping(document).get("choices")):
            index = choice.get("index")
            if isinstance(index, int):
                self._choices.add(index)
                if choice.get("finish_reason") is not None:
                    self._finishing.add(index)

    def sent(self) -> None:
        """The caller gets all that was seen."""
        self._finished |= self._finishing
        self._finishing.clear()

    def filtered(self) -> bytes:
        """What says that the rest was filtered; nothing where there are no words for that."""
        if self._protocol in OBJECTS:
            choices = self._choices - self._finished
            if self._choices and not choices:
                return b""
            return last_chunk(self._protocol, self._last, "content_filter", choices)
        if self._protocol is Protocol.RESPONSES:
            return self._incomplete_response()
        if self._protocol is Protocol.ANTHROPIC:
            delta = {"stop_reason": "refusal", "stop_sequence": None}
            usage = {"output_tokens": 0}
            return _named({"type": "message_delta", "delta": delta, "usage": usage}) + _named({"type": "message_stop"})
        if self._protocol is Protocol.GEMINI:
            return _event({"candidates": [{"index": 0, "finishReason": "SAFETY"}]})
        if self._protocol is Protocol.BEDROCK:
            return _frame("messageStop", {"stopReason": "content_filtered"})
        return b""

    def _incomplete_response(self) -> bytes:
        number = self._last.get("sequence_number")
        response = {
            **_repeated(self._response, OF_RESPONSE),
            "status": "incomplete",
            "incomplete_details": {"reason": "content_filter"},
            "output": [],
        }
        following = number + 1 if isinstance(number, int) else 0
        return _named({"type": "response.incomplete", "sequence_number": following, "response": response})


def last_chunk(protocol: Protocol, at: Mapping[str, Any], reason: Reason, choices: Collection[int] = ()) -> bytes:
    """The end of all these choices of a chat completion or a completion; `at` is one of its other events."""
    chunk = _repeated(at, OF_CHUNK)
    chunk["object"] = OBJECTS[protocol]
    nothing: dict[str, Any] = {"delta": {}} if protocol is Protocol.CHAT else {"text": ""}
    chunk["choices"] = [{"index": index, **nothing, "finish_reason": reason} for index in sorted(choices) or (0,)]
    return _event(chunk)


def done(protocol: Protocol | None) -> bytes:
    """What ends every stream of a protocol."""
    return DONE if protocol in OBJECTS or protocol is Protocol.RESPONSES else b""


def _repeated(document: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    found = {name: document[name] for name in names if name in document}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, int | float) or (isinstance(value, str) and len(value) <= LONGEST_REPEATED)
    }


def _event(document: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"


def _named(document: Mapping[str, Any]) -> bytes:
    return b"event: %s\n" % str(document["type"]).encode() + _event(document)


def _frame(name: str, document: Mapping[str, Any]) -> bytes:
    """As Amazon's event streams have them: lengths, checksum, headers, document, checksum."""
    names = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        bytes([len(key)]) + key.encode() + b"\x07" + len(value).to_bytes(2) + value.encode()
        for key, value in names.items()
    )
    content = json.dumps(document, separators=(",", ":")).encode()
    lengths = (len(headers) + len(content) + 16).to_bytes(4) + len(headers).to_bytes(4)
    frame = lengths + zlib.crc32(lengths).to_bytes(4) + headers + content
    return frame + zlib.crc32(frame).to_bytes(4)
