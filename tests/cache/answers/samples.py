"""Answers of every protocol as their backends give them, and shorthands for collecting and giving them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.cache.answers import replay
from gateway.cache.answers.collect import Collector
from gateway.cache.answers.stored import StoredAnswer
from gateway.llm.tokens import Protocol

Document = dict[str, Any]

NOW = 1_800_000_000.9
NEW = "0123456789abcdef01234567"
TEXT = "Grüße, world! 日本語は、長い文でも空白がないので適当に切られるはずです。\n\n👋🏽  The end\t."
TEXTS = (
    " ",
    "a",
    "Hello",
    "Hello there, world",
    TEXT,
    "x" * 5_000,
    "word " * 5_000,
    "\n" * 300 + "a",
    "a" + " " * 99,
)


def logprob(token: str) -> Document:
    """What OpenAI says of one token."""
    return {"token": token, "logprob": -0.25, "bytes": list(token.encode()), "top_logprobs": []}


CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Zürich", "days": 3}'},
}
CUSTOM = {"id": "call_2", "type": "custom", "custom": {"name": "shell", "input": "ls -l /tmp | sort"}}
SAFE = {"hate": {"filtered": False, "severity": "safe"}, "jailbreak": {"filtered": False, "detected": False}}


def choice(text: str | None, reason: str = "stop", index: int = 0, **message: Any) -> Document:
    """One choice of a chat completion."""
    said = {"role": "assistant", "content": text, "refusal": None, **message}
    return {"index": index, "message": said, "logprobs": None, "finish_reason": reason}


def chat(*choices: Document, **head: Any) -> Document:
    """A chat completion."""
    usage = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}
    opening = {"id": "chatcmpl-old", "object": "chat.completion", "created": 1_700_000_000, "model": "gpt-4o-2024"}
    return {**opening, "choices": list(choices), "usage": usage, **head}


def completion(*texts: str, **choice: Any) -> Document:
    """A completion."""
    shared = {"logprobs": None, "finish_reason": "stop", **choice}
    return {
        "id": "cmpl-old",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": "gpt-3.5-turbo-instruct",
        "choices": [{"index": index, "text": text, **shared} for index, text in enumerate(texts)],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }


def part(text: str, **fields: Any) -> Document:
    """A part of a response's message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **fields}


def message(*parts: Document) -> Document:
    """An item of a response."""
    return {"type": "message", "id": "msg_old", "status": "completed", "role": "assistant", "content": list(parts)}


def response(*output: Document, **fields: Any) -> Document:
    """A response."""
    return {
        "id": "resp_old",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "gpt-5",
        "output": list(output),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": 3,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 8,
        },
        **fields,
    }


FUNCTION_ITEM = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"city": "Zürich", "days": 3, "unit": "celsius"}',
    "status": "completed",
}
CUSTOM_ITEM = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "shell", "input": "ls -l /tmp"}
REASONING_ITEM = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Thought about the weather in Zürich."}],
    "content": [{"type": "reasoning_text", "text": "It rains there, mostly."}],
    "encrypted_content": "gAAAA",
}
CITED = part(
    "As the paper says.",
    annotations=[
        {"type": "url_citation", "start_index": 0, "end_index": 2, "title": "t", "url": "https://example.com"}
    ],
    logprobs=[logprob(token) for token in ("As", " the", " paper", " says", ".")],
)

THINKING = {"type": "thinking", "thinking": "It rains there, mostly, I think.", "signature": "EqQBCgIYAhIM"}
REDACTED = {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix"}
TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Zürich", "days": [1, 2, None]}}
CITED_TEXT = {
    "type": "text",
    "text": "The grass is green.",
    "citations": [{"type": "char_location", "cited_text": "green", "document_index": 0, "start_char_index": 0}],
}


def anthropic(*blocks: Document, reason: str = "end_turn", **fields: Any) -> Document:
    """A message of Anthropic's."""
    return {
        "id": "msg_old",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet",
        "content": list(blocks),
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 0, "output_tokens": 25},
        **fields,
    }


def text_block(text: str) -> Document:
    """A block of text."""
    return {"type": "text", "text": text}


SAMPLES: Mapping[str, tuple[Protocol, Document]] = {
    "chat": (Protocol.CHAT, chat(choice(TEXT))),
    "chat, two choices": (Protocol.CHAT, chat(choice("One."), choice("Two, in other words.", index=1))),
    "chat, tools": (Protocol.CHAT, chat(choice(None, "tool_calls", tool_calls=[CALL, {**CALL, "id": "call_3"}]))),
    "chat, a custom tool": (Protocol.CHAT, chat(choice(None, "tool_calls", tool_calls=[CUSTOM]))),
    "chat, text and a tool": (Protocol.CHAT, chat(choice("Let me see.", "tool_calls", tool_calls=[CALL]))),
    "chat, a function": (Protocol.CHAT, chat(choice(None, "function_call", function_call=CALL["function"]))),
    "chat, log probabilities": (
        Protocol.CHAT,
        chat(choice("Hi there") | {"logprobs": {"content": [logprob("Hi"), logprob(" there")], "refusal": None}}),
    ),
    "chat, halves of letters": (
        Protocol.CHAT,
        chat(choice("日" * 40) | {"logprobs": {"content": [logprob("\ufffd")] * 120, "refusal": None}}),
    ),
    "chat, reasoning": (
        Protocol.CHAT,
        chat(choice("Four.", reasoning_content="Two and two is four, I would think."), system_fingerprint="fp_1"),
    ),
    "chat, fields of others": (
        Protocol.CHAT,
        chat(
            choice("Hi", annotations=[], provider={"name": "x", "trace": "abc"}, audio=None, note="seen", ready=True)
            | {"content_filter_results": SAFE, "stop_reason": 151_645},
            prompt_filter_results=[{"prompt_index": 0, "content_filter_results": SAFE}],
            service_tier="default",
            system_fingerprint=None,
        ),
    ),
    "completion": (Protocol.COMPLETIONS, completion(TEXT)),
    "completion, several": (Protocol.COMPLETIONS, completion("One.", "Two.", " Three")),
    "completion, log probabilities": (
        Protocol.COMPLETIONS,
        completion(
            "Hi there",
            logprobs={
                "tokens": ["Hi", " there"],
                "token_logprobs": [None, -0.5],
                "top_logprobs": None,
                "text_offset": [0, 2],
            },
        ),
    ),
    "response": (Protocol.RESPONSES, response(message(part(TEXT)))),
    "response, calls": (Protocol.RESPONSES, response(FUNCTION_ITEM, CUSTOM_ITEM)),
    "response, reasoning": (
        Protocol.RESPONSES,
        response(REASONING_ITEM, message(CITED, part("Second part.")), completed_at=1_700_000_009),
    ),
    "anthropic": (Protocol.ANTHROPIC, anthropic(text_block(TEXT))),
    "anthropic, a stop sequence": (
        Protocol.ANTHROPIC,
        anthropic(text_block("Hi"), reason="stop_sequence", stop_sequence="END"),
    ),
    "anthropic, all blocks": (
        Protocol.ANTHROPIC,
        anthropic(THINKING, REDACTED, CITED_TEXT, TOOL_USE, {**TOOL_USE, "input": {}}, reason="tool_use"),
    ),
}


def stored(name: str) -> StoredAnswer:
    """One of the samples."""
    return StoredAnswer(*SAMPLES[name])


def told(answer: StoredAnswer, wants_usage: bool = True) -> list[bytes]:
    """Its events."""
    return replay.events(answer, NOW, lambda: NEW, wants_usage)


def collected(protocol: Protocol, pieces: Iterable[bytes], cache_tool_calls: bool = True) -> Document:
    """What is kept of a stream."""
    collector = Collector(protocol)
    for piece in pieces:
        collector.feed_events(piece)
    return collector.finish(cache_tool_calls).document


def collected_whole(protocol: Protocol, document: Any, cache_tool_calls: bool = True) -> Document:
    """What is kept of an object."""
    collector = Collector(protocol)
    collector.whole(json.dumps(document).encode())
    return collector.finish(cache_tool_calls).document


def event(document: Any) -> bytes:
    """One event."""
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def lasting(document: Document) -> Document:
    """Without what is new each time."""
    return {
        name: value for name, value in document.items() if name not in ("id", "created", "created_at", "completed_at")
    }
