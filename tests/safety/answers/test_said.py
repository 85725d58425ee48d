"""What callers could read of an answer, in every protocol, and which of it is one text."""

import json
from typing import Any

import pytest

from gateway.safety.answers.said import TooDeep, is_escaped, said


def texts(*documents: Any) -> list[str]:
    """The texts of a stream's events, each put together."""
    channels: dict[Any, str] = {}
    for document in documents:
        for channel, text in said(document):
            channels[channel] = channels.get(channel, "") + text
    return list(channels.values())


def chat(**delta: Any) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": delta}]}


def called(**function: Any) -> dict[str, Any]:
    return chat(tool_calls=[{"index": 1, "function": function}])


STREAMS: dict[str, tuple[list[Any], list[str]]] = {
    "chat": ([chat(role="assistant", content=""), chat(content="Hel"), chat(content="lo")], ["Hello"]),
    "chat-reasoning": ([chat(reasoning_content="Hm"), chat(content="Yes")], ["Hm", "Yes"]),
    "chat-refusal": ([chat(refusal="I "), chat(refusal="will not")], ["I will not"]),
    "chat-tools": (
        [
            chat(tool_calls=[{"index": 1, "id": "call-1", "type": "function", "function": {"name": "find"}}]),
            called(arguments='{"q": "a'),
            called(arguments=' b"}'),
        ],
        ["find", '{"q": "a b"}'],
    ),
    "chat-choices-in-turns": (
        [
            {"choices": [{"index": 0, "delta": {"content": "a"}}]},
            {"choices": [{"index": 1, "delta": {"content": "x"}}]},
            {"choices": [{"index": 0, "delta": {"content": "b"}}, {"index": 1, "delta": {"content": "y"}}]},
        ],
        ["ab", "xy"],
    ),
    "chat-logprobs-say-nothing-new": (
        [{"choices": [{"index": 0, "text": "a", "logprobs": {"tokens": ["a"], "content": [{"token": "a"}]}}]}],
        ["a"],
    ),
    "chat-audio": ([chat(audio={"id": "a", "data": "UklGRg=="}), chat(audio={"transcript": "Hello"})], ["Hello"]),
    "responses": (
        [
            {
                "type": "response.created",
                "response": {"object": "response", "id": "r", "instructions": "Be brief.", "tools": [{"name": "t"}]},
            },
            {"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 0, "delta": "a"},
            {"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 1, "delta": "x"},
            {"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 0, "delta": "b"},
        ],
        ["ab", "x"],
    ),
    "anthropic": (
        [
            {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": []}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
            {"type": "content_block_delta", "index": 1, "delta": {"type": "thinking_delta", "thinking": "Hm"}},
            {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}},
        ],
        ["Hello", "Hm", "{}"],
    ),
    "gemini": (
        [
            {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hel"}]}}], "modelVersion": "g"},
            {"candidates": [{"content": {"parts": [{"text": "lo"}]}, "finishReason": "STOP"}], "responseId": "r"},
            {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {"why": "x"}}}]}}]},
        ],
        ["Hello", "f", "why\n", "x"],
    ),
    "gemini-picture": (
        [{"candidates": [{"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}}]}],
        [],
    ),
    "bedrock": (
        [
            {"contentBlockIndex": 0, "delta": {"text": "Hel"}},
            {"contentBlockIndex": 0, "delta": {"text": "lo"}},
            {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"a"'}}},
            {"contentBlockIndex": 1, "delta": {"toolUse": {"input": ":1}"}}},
        ],
        ["Hello", '{"a":1}'],
    ),
    "bedrock-whole": ([{"output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}}], ["Hi"]),
    "images": ([{"data": [{"b64_json": "AAAA", "revised_prompt": "A cat"}]}], ["A cat"]),
    "embeddings": ([{"object": "list", "data": [{"embedding": [0.1, 0.2]}, {"embedding": "AAAA"}]}], []),
    "audio-events": ([{"type": "speech.audio.delta", "audio": "UklGRg=="}], []),
    "unknown": ([{"response": "Hel", "done": False}, {"response": "lo", "done": True}], ["Hello"]),
    "a-string": (["Hello"], ["Hello"]),
    "anthropic-begun-with-text": (
        [
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Hel"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
        ],
        ["Hello"],
    ),
    "anthropic-fetched": (
        [{"content": [{"source": {"type": "text", "media_type": "text/plain", "data": "Hello"}}]}],
        ["Hello"],
    ),
    "responses-begun-with-text": (
        [
            {"type": "response.content_part.added", "item_id": "i", "part": {"type": "output_text", "text": "Hel"}},
            {"type": "response.output_text.delta", "item_id": "i", "delta": "lo"},
        ],
        ["Hello"],
    ),
    "responses-picture": ([{"output": [{"type": "image_generation_call", "result": "AAAA"}]}], []),
    "responses-that-are-none": ([{"object": "response", "text": "Hello"}], ["Hello"]),
    "gemini-thoughts": (
        [
            {"candidates": [{"content": {"parts": [{"text": "Hm", "thought": True}, {"text": "Hel"}]}}]},
            {"candidates": [{"content": {"parts": [{"text": "lo"}]}}]},
        ],
        ["Hm", "Hello"],
    ),
    "gemini-findings": (
        [{"candidates": [{"safetyRatings": [{"category": "HARM_CATEGORY_HATE_SPEECH", "probability": "LOW"}]}]}],
        [],
    ),
    "vertex-picture": ([{"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": "AAAA"}]}], []),
    "azure-findings": (
        [{"choices": [{"index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}]}],
        [],
    ),
    "a-long-finding": ([{"content_filter_results": {"hate": {"severity": "x" * 101}}}], ["x" * 101]),
    "bedrock-padding": ([{"delta": {"text": "Hello"}, "p": "abcdefghijkl"}, {"p": "stab"}], ["Hello", "stab"]),
    "tokens-with-numbers": (
        [{"index": 1, "token": {"text": "Hel"}}, {"index": 2, "token": {"text": "lo"}}],
        ["Hello"],
    ),
}


@pytest.mark.parametrize(("events", "expected"), STREAMS.values(), ids=STREAMS)
def test_each_protocol_says_its_texts(events: list[Any], expected: list[str]) -> None:
    """Each put together from its pieces, and nothing that is no text."""
    assert texts(*events) == expected


def test_what_is_not_known_is_text() -> None:
    """A field that is new tomorrow hides nothing, nor does a kind that is too long to be one."""
    long = "words " * 20
    document = {"choices": [{"index": 0, "delta": {"musings": {"deep": ["a"]}, "role": long}}]}
    assert texts(document) == ["a", long]


def test_names_are_words_where_a_model_chooses_them() -> None:
    """In what it calls a tool with."""
    document = {"type": "content_block_start", "content_block": {"type": "tool_use", "input": {"stab": {"id": "x"}}}}
    assert texts(document) == ["stab\n", "id\n", "x"]


def test_data_that_is_no_media_is_text() -> None:
    """Only what says that it is a picture, or stands where chat has its sound, is none."""
    assert texts({"data": "words"}) == ["words"]
    assert texts({"url": "data:text/plain,words"}) == ["data:text/plain,words"]
    assert texts({"url": "data:image/png;base64,AAAA"}) == []


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "x"}}]}}]}, True),
        ({"type": "response.function_call_arguments.delta", "delta": "x"}, True),
        ({"type": "content_block_delta", "index": 0, "delta": {"partial_json": "x"}}, True),
        ({"choices": [{"index": 0, "delta": {"content": "x"}}]}, False),
    ],
)
def test_pieces_of_json_are_known(document: Any, expected: bool) -> None:
    """Words could hide in their escapes."""
    assert [is_escaped(channel) for channel, _ in said(document)] == [expected]


def test_endless_nesting_is_refused() -> None:
    """By the depth, before the interpreter gives up."""
    with pytest.raises(TooDeep):
        texts(json.loads('{"a":' * 200 + '"x"' + "}" * 200))
