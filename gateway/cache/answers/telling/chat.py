"""Tells one choice of a chat completion as deltas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.cache.answers.telling.pieces import described_pieces, pieces

Document = Mapping[str, Any]

OF_THE_CHOICE = ("index", "message", "logprobs", "finish_reason")
# Told in pieces and before the text, which models think up before it.
REASONING = ("reasoning_content", "reasoning")
TOLD_APART = ("role", "content", "tool_calls", "function_call")


def tell_chat(choice: Document) -> Iterator[Document]:
    """The role, the reasoning, the text, calls of tools, whatever else there is, and why it ended."""
    message = choice["message"]
    base = {"index": choice["index"]}
    for delta in (_opening(message), *_reasoning(message)):
        yield {**base, "delta": delta, "logprobs": None, "finish_reason": None}
    for delta, logprobs in _content(message, choice.get("logprobs")):
        yield {**base, "delta": delta, "logprobs": logprobs, "finish_reason": None}
    for delta in (*_calls(message), *_others(message)):
        yield {**base, "delta": delta, "logprobs": None, "finish_reason": None}
    rest = {name: value for name, value in choice.items() if name not in OF_THE_CHOICE}
    yield {**base, "delta": {}, "logprobs": None, "finish_reason": choice.get("finish_reason"), **rest}


def _opening(message: Document) -> Document:
    """With all that is null, and an empty text where there is going to be one."""
    content = message.get("content")
    nulls = {name: None for name, value in message.items() if value is None}
    return {"role": message.get("role") or "assistant", **nulls, "content": None if content is None else ""}


def _reasoning(message: Document) -> Iterator[Document]:
    for name in REASONING:
        if isinstance(message.get(name), str):
            yield from ({name: piece} for piece in list(pieces(message[name])) or [""])


def _content(message: Document, logprobs: Document | None) -> Iterator[tuple[Document, Document | None]]:
    content = message.get("content") or ""
    if not logprobs:
        yield from (({"content": piece}, None) for piece in pieces(content))
        return
    tokens = logprobs.get("content")
    texts = [token.get("token") if isinstance(token, dict) else None for token in tokens or ()]
    said = logprobs
    for piece, part in described_pieces(content, texts):
        yield {"content": piece} if piece else {}, {**said, "content": tokens[part] if tokens else tokens}
        said = dict.fromkeys(logprobs)


def _calls(message: Document) -> Iterator[Document]:
    calls = message.get("tool_calls")
    if calls == []:
        yield {"tool_calls": []}
    for place, call in enumerate(calls or ()):
        kind, text = ("function", "arguments") if call.get("function") else ("custom", "input")
        yield {"tool_calls": [{**call, "index": place, kind: {**call[kind], text: ""}}]}
        for piece in pieces(call[kind][text]):
            yield {"tool_calls": [{"index": place, kind: {text: piece}}]}
    if older := message.get("function_call"):
        yield {"function_call": {**older, "arguments": ""}}
        yield from ({"function_call": {"arguments": piece}} for piece in pieces(older["arguments"]))


def _others(message: Document) -> Iterator[Document]:
    told = (*TOLD_APART, *(name for name in REASONING if isinstance(message.get(name), str)))
    if others := {name: value for name, value in message.items() if value is not None and name not in told}:
        yield others
