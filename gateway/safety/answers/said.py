"""Everything in an answer that a caller could read, sorted by what belongs together.

Whole answers and single events of a stream are read alike. A channel is one text that grows from event to event: one
choice's content, one tool call's arguments. As with requests, whatever is not known to be something else is text.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.safety.texts import BINARY, DEEPEST, LABELS, LONGEST_LABEL

Channel = tuple[str | int, ...]

# Where one event of a stream belongs. Without a type, an `index` counts events.
PLACES = ("type", "item_id", "output_index", "content_index", "summary_index", "contentBlockIndex")
# Events that begin a text, and those that go on with it: by type, what both are called, and which field has the text.
JOINED = {
    "content_block_start": ("content_block", "content_block"),
    "content_block_delta": ("content_block", "delta"),
    "response.content_part.added": ("response.output_text", "part"),
    "response.output_text.delta": ("response.output_text", "delta"),
}
# Names and kinds of things, beside most of those of requests. A long one is none.
ANSWER_LABELS = (LABELS - {"detail"}) | frozenset(
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
        "created_at",
        "done_reason",
        "createTime",
    )
)
# What others have found in the text. Their words are labels too.
FINDINGS = ("content_filter_results", "content_filter_result", "prompt_filter_results", "safetyRatings")
# By which Bedrock hides how long a text is: as much of this as it takes.
PADDING = string.ascii_letters + string.digits
URLS = ("url", "image_url", "fileUri", "file_uri")
TEXT_URLS = ("data:text/", "data:,", "data:;")
MEDIA = ("data", "bytes", "bytesBase64Encoded")
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
    if not isinstance(document, dict):
        yield from _walk(document, (), free=False, depth=0)
        return
    kind = document.get("type")
    if kind in AUDIO:
        return
    places = [value for name in PLACES if isinstance(value := document.get(name), str | int)]
    if isinstance(kind, str):
        if isinstance(index := document.get("index"), int):
            places.append(index)
        if kind in JOINED:
            places[0], field = JOINED[kind]
            text = document.get(field)
            document = {name: value for name, value in document.items() if name != field}
            yield from _walk(text if isinstance(text, dict) else {"text": text}, (*places,), free=False, depth=1)
    yield from _walk(document, (*places,), free=False, depth=0)


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
            yield from _walk(item, (*channel, _place(item, position, channel)), free, depth + 1)
    elif isinstance(value, dict):
        is_response = value.get("object") == "response"
        for name, item in value.items():
            if free:
                yield (*channel, "names"), name + "\n"
            elif _is_no_text(value, channel, name, item) or (is_response and _is_repeated(name, item)):
                continue
            elif name in FINDINGS:
                yield from (
                    each for each in _walk(item, (*channel, name), False, depth + 1) if len(each[1]) > LONGEST_LABEL
                )
                continue
            yield from _walk(item, (*channel, name), free or name in FREE, depth + 1)


def _place(item: Any, position: int, channel: Channel) -> str | int:
    if not isinstance(item, dict):
        return position
    if channel[-1:] == ("parts",):
        # Gemini's: whatever has come in which event, its clients put all that is no thought together.
        return "thought" if item.get("thought") is True else "said"
    index = item.get("index")
    return index if isinstance(index, int) else position


def _is_repeated(name: str, item: Any) -> bool:
    # These two are settings only as objects.
    return name in REPEATED and not (name in ("text", "reasoning") and isinstance(item, str))


def _is_no_text(holder: Mapping[str, Any], channel: Channel, name: str, item: Any) -> bool:
    if name in PASSED_OVER:
        return True
    if not isinstance(item, str):
        return False
    if name in ANSWER_LABELS:
        return len(item) <= LONGEST_LABEL
    if name in MEDIA:
        return _is_media(holder, channel)
    if name == "result":
        return holder.get("type") == "image_generation_call"
    if name == "p":
        return PADDING.startswith(item)
    # A text may come as such a URL too.
    return name in URLS and item.startswith("data:") and not item.startswith(TEXT_URLS)


def _is_media(holder: Mapping[str, Any], channel: Channel) -> bool:
    """Chat's audio, or what says which kind of media it is, unless that is a text."""
    if channel[-1:] == ("audio",):
        return True
    kinds = [kind for name in MEDIA_KINDS if isinstance(kind := holder.get(name), str)]
    return bool(kinds) and holder.get("type") != "text" and not any(kind.startswith("text/") for kind in kinds)
