"""Everything in an answer that a caller could read, sorted by what belongs together.

Whole answers and single events of a stream are read alike. A channel is one text that grows from event to event: one
choice's content, one tool call's arguments. As with requests, whatever is not known to be something else is text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.safety.texts import BINARY, DEEPEST, LABELS, LONGEST_LABEL

Channel = tuple[str | int, ...]

# Where one event of a stream belongs.
PLACES = ("type", "item_id", "output_index", "content_index", "summary_index", "index", "contentBlockIndex")
# Names and kinds of things, beside those of requests. A long one is none.
ANSWER_LABELS = LABELS | frozenset(
    (
        "object",
        "item_id",
        "response_id",
        "responseId",
        "previous_response_id",
        "finish_reason",
        "native_finish_reason",
        "finishReason",
        "stop_reason",
        "stopReason",
        "system_fingerprint",
        "service_tier",
        "modelVersion",
        "obfuscation",
        "encoding_format",
    )
)
URLS = ("url", "image_url", "fileUri", "file_uri")
MEDIA_KINDS = ("media_type", "mimeType", "mime_type")
# Not text, or a second time what the text says.
PASSED_OVER = BINARY | frozenset({"logprobs", "embedding", "partial_image_b64", "usage", "usageMetadata"})
# What a `response` repeats of its request.
REPEATED = frozenset(
    (
        "instructions",
        "tools",
        "tool_choice",
        "metadata",
        "user",
        "prompt",
        "prompt_cache_key",
        "safety_identifier",
        "reasoning",
        "text",
        "truncation",
        "conversation",
    )
)
# Below these stands what a tool is called with: names are words of it too. Told piece by piece it is JSON, in which a
# model can write every letter as an escape.
FREE = frozenset({"arguments", "input", "args", "parameters", "json", "partial_json"})
AUDIO = ("response.audio.delta", "speech.audio.delta")


class TooDeep(Exception):
    """Nobody nests a text like this."""


def said(document: Any) -> Iterator[tuple[Channel, str]]:
    """The texts of one document, each with its channel. Raises TooDeep."""
    start: Channel = ()
    if isinstance(document, dict):
        if document.get("type") in AUDIO:
            return iter(())
        start = tuple(value for name in PLACES if isinstance(value := document.get(name), str | int))
    return _walk(document, start, free=False, depth=0)


def is_escaped(channel: Channel) -> bool:
    """Whether its texts are pieces of JSON, in which escapes could hide words."""
    return any(isinstance(part, str) and (part in FREE or "arguments" in part) for part in channel)


def _walk(value: Any, channel: Channel, free: bool, depth: int) -> Iterator[tuple[Channel, str]]:
    if depth > DEEPEST:
        raise TooDeep
    if isinstance(value, str):
        if value:
            yield channel, value
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _walk(item, (*channel, _index(item, position)), free, depth + 1)
    elif isinstance(value, dict):
        is_response = value.get("object") == "response"
        for name, item in value.items():
            if free:
                yield (*channel, "names"), name + "\n"
            elif _is_no_text(value, channel, name, item) or (is_response and name in REPEATED):
                continue
            yield from _walk(item, (*channel, name), free or name in FREE, depth + 1)


def _index(item: Any, position: int) -> int:
    index = item.get("index") if isinstance(item, dict) else None
    return index if isinstance(index, int) else position


def _is_no_text(holder: Mapping[str, Any], channel: Channel, name: str, item: Any) -> bool:
    if name in PASSED_OVER:
        return True
    if not isinstance(item, str):
        return False
    if name in ANSWER_LABELS:
        return len(item) <= LONGEST_LABEL
    if name in ("data", "bytes"):
        # Chat's audio, or what says which kind of media it is.
        return channel[-1:] == ("audio",) or any(kind in holder for kind in MEDIA_KINDS)
    # A text may come as such a URL too.
    return name in URLS and item.startswith("data:") and not item.startswith("data:text/")
