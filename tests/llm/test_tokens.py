"""Tokens of a request, beside what the makers of models publish and report."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.llm.tokenizer import Tokenizer
from gateway.llm.tokens import (
    LONGEST_BOUNDED_BYTES,
    PROMPTS,
    Protocol,
    most_prompt_tokens,
    prompt_tokens,
    prompt_tokens_now,
)
from tests.llm.prompts.pictures import png

# OpenAI's notebook "How to count tokens with tiktoken" gives these requests, and what the API said of each.
JARGON = [
    (
        "system",
        None,
        "You are a helpful, pattern-following assistant that translates corporate jargon into plain English.",
    ),
    ("system", "example_user", "New synergies will help drive top-line growth."),
    ("system", "example_assistant", "Things working well together will increase revenue."),
    (
        "system",
        "example_user",
        "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
    ),
    ("system", "example_assistant", "Let's talk later when we're less busy about how to do better."),
    ("user", None, "This late pivot means we don't have time to boil the ocean for the client deliverable."),
]
MESSAGES = [{"role": role, "content": content} | ({"name": name} if name else {}) for role, name, content in JARGON]
WEATHER = {
    "messages": [
        {"role": "system", "content": "You are a helpful assistant that can answer to questions about the weather."},
        {"role": "user", "content": "What's the weather like in San Francisco?"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "get_current_weather",
                "description": "Get the current weather in a given location",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
                        "unit": {
                            "type": "string",
                            "description": "The unit of temperature to return",
                            "enum": ["celsius", "fahrenheit"],
                        },
                    },
                    "required": ["location"],
                },
            },
        }
    ],
}
REPORTED: list[tuple[str, Protocol, dict[str, Any], int]] = [
    ("gpt-3.5-turbo", Protocol.CHAT, {"messages": MESSAGES}, 129),
    ("gpt-4-0613", Protocol.CHAT, {"messages": MESSAGES}, 129),
    ("gpt-4", Protocol.CHAT, {"messages": MESSAGES}, 129),
    ("gpt-4o", Protocol.CHAT, {"messages": MESSAGES}, 124),
    ("gpt-4o-mini", Protocol.CHAT, {"messages": MESSAGES}, 124),
    ("gpt-3.5-turbo", Protocol.CHAT, WEATHER, 105),
    ("gpt-4", Protocol.CHAT, WEATHER, 105),
    ("gpt-4o", Protocol.CHAT, WEATHER, 101),
    ("gpt-4o-mini", Protocol.CHAT, WEATHER, 101),
    # The same notebook: "tiktoken is great!" is six tokens.
    ("gpt-4o", Protocol.EMBEDDINGS, {"input": "tiktoken is great!"}, 6),
    ("gpt-4o", Protocol.EMBEDDINGS, {"input": ["tiktoken is great!", "tiktoken is great!"]}, 12),
    ("gpt-4o", Protocol.EMBEDDINGS, {"input": [83, 8251, 2488, 382, 2212, 0]}, 6),
    ("gpt-4o", Protocol.EMBEDDINGS, {"input": [[83, 8251], [2488, 382, 2212, 0]]}, 6),
    ("gpt-4o", Protocol.COMPLETIONS, {"prompt": "tiktoken is great!"}, 6),
    ("gpt-4o", Protocol.IMAGES, {"prompt": "tiktoken is great!"}, 6),
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer()


@pytest.mark.parametrize(("model", "protocol", "document", "reported"), REPORTED)
async def test_what_the_api_reported(
    tokenizer: Tokenizer, model: str, protocol: Protocol, document: dict[str, Any], reported: int
) -> None:
    """The published examples, to the token: an error of 0 %."""
    assert await prompt_tokens(tokenizer, protocol, document, model) == reported


PICTURE = png(1024, 1024)
SAME_TEXT: dict[str, tuple[Protocol, dict[str, Any]]] = {
    "chat, in parts": (
        Protocol.CHAT,
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "tiktoken is great!"}]}]},
    ),
    "responses": (Protocol.RESPONSES, {"input": "tiktoken is great!"}),
    "responses, in items": (
        Protocol.RESPONSES,
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "tiktoken is great!"}]}]},
    ),
}


@pytest.mark.parametrize(("protocol", "document"), SAME_TEXT.values(), ids=SAME_TEXT.keys())
async def test_one_message_costs_the_same_however_it_is_written(
    tokenizer: Tokenizer, protocol: Protocol, document: dict[str, Any]
) -> None:
    """Three for the message, one for its role, three for the answer's beginning, and the text."""
    assert await prompt_tokens(tokenizer, protocol, document, "gpt-4o") == 3 + 1 + 3 + 6


def chat_with(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [part]}]}


PICTURES: dict[str, tuple[Protocol, dict[str, Any], int]] = {
    "chat": (
        Protocol.CHAT,
        chat_with({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}", "detail": "high"}}),
        7 + 765,
    ),
    "chat, low": (
        Protocol.CHAT,
        chat_with({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}", "detail": "low"}}),
        7 + 85,
    ),
    "chat, elsewhere": (
        Protocol.CHAT,
        chat_with({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}),
        7 + 765,
    ),
    "responses": (
        Protocol.RESPONSES,
        {
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}", "detail": "low"}
                    ],
                }
            ]
        },
        7 + 85,
    ),
    "anthropic": (
        Protocol.ANTHROPIC,
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}}
                    ],
                }
            ]
        },
        3 + 1399,
    ),
    "gemini": (
        Protocol.GEMINI,
        {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": PICTURE}}]}]},
        258 * 4,
    ),
    "bedrock": (
        Protocol.BEDROCK,
        {"messages": [{"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": PICTURE}}}]}]},
        3 + 1399,
    ),
}


@pytest.mark.parametrize(("protocol", "document", "expected"), PICTURES.values(), ids=PICTURES.keys())
async def test_a_picture_costs_its_size_in_pixels(
    tokenizer: Tokenizer, protocol: Protocol, document: dict[str, Any], expected: int
) -> None:
    """By the formula of the protocol's maker, whatever the length of its base64."""
    assert await prompt_tokens(tokenizer, protocol, document, "gpt-4o") == expected


BLOB = "QUJD" * 250_000
BLOBS: dict[str, tuple[Protocol, dict[str, Any]]] = {
    "chat, picture": (
        Protocol.CHAT,
        chat_with({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BLOB}"}}),
    ),
    "chat, audio": (
        Protocol.CHAT,
        chat_with({"type": "input_audio", "input_audio": {"data": BLOB, "format": "wav"}}),
    ),
    "chat, file": (
        Protocol.CHAT,
        chat_with({"type": "file", "file": {"file_data": f"data:application/pdf;base64,{BLOB}"}}),
    ),
    "responses, file": (
        Protocol.RESPONSES,
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_data": BLOB}]}]},
    ),
    "anthropic, document": (
        Protocol.ANTHROPIC,
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "document",
                            "source": {"type": "base64", "media_type": "application/pdf", "data": BLOB},
                        }
                    ],
                }
            ]
        },
    ),
    "gemini, audio": (
        Protocol.GEMINI,
        {"contents": [{"parts": [{"inline_data": {"mime_type": "audio/wav", "data": BLOB}}]}]},
    ),
    "gemini, video": (
        Protocol.GEMINI,
        {"contents": [{"parts": [{"inline_data": {"mime_type": "video/mp4", "data": BLOB}}]}]},
    ),
    "bedrock, document": (
        Protocol.BEDROCK,
        {"messages": [{"content": [{"document": {"format": "pdf", "source": {"bytes": BLOB}}}]}]},
    ),
}


@pytest.mark.parametrize(("protocol", "document"), BLOBS.values(), ids=BLOBS.keys())
async def test_base64_is_never_text(tokenizer: Tokenizer, protocol: Protocol, document: dict[str, Any]) -> None:
    """A megabyte of it would be half a million tokens as text."""
    assert 10 < await prompt_tokens(tokenizer, protocol, document, "gpt-4o") < 50_000


TEXT = "The weather is fine today."
HELD: dict[str, tuple[Protocol, dict[str, Any]]] = {
    "chat, tool call": (
        Protocol.CHAT,
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": TEXT}}]}]},
    ),
    "chat, tool result": (Protocol.CHAT, {"messages": [{"role": "tool", "content": TEXT}]}),
    "chat, schema of the answer": (
        Protocol.CHAT,
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"description": TEXT}}}},
    ),
    "chat, nested tool": (
        Protocol.CHAT,
        {
            "tools": [
                {
                    "function": {
                        "name": "f",
                        "parameters": {
                            "properties": {
                                "a": {"items": {"properties": {"b": {"type": "string", "description": TEXT}}}}
                            }
                        },
                    }
                }
            ]
        },
    ),
    "responses, instructions": (Protocol.RESPONSES, {"instructions": TEXT}),
    "responses, tool output": (Protocol.RESPONSES, {"input": [{"type": "function_call_output", "output": TEXT}]}),
    "responses, tool": (Protocol.RESPONSES, {"tools": [{"type": "function", "name": "f", "description": TEXT}]}),
    "completions, suffix": (Protocol.COMPLETIONS, {"suffix": TEXT}),
    "anthropic, system": (Protocol.ANTHROPIC, {"system": TEXT}),
    "anthropic, system blocks": (Protocol.ANTHROPIC, {"system": [{"type": "text", "text": TEXT}]}),
    "anthropic, tool": (Protocol.ANTHROPIC, {"tools": [{"name": "f", "input_schema": {"description": TEXT}}]}),
    "anthropic, tool use": (
        Protocol.ANTHROPIC,
        {"messages": [{"content": [{"type": "tool_use", "name": "f", "input": {"a": TEXT}}]}]},
    ),
    "anthropic, tool result": (
        Protocol.ANTHROPIC,
        {"messages": [{"content": [{"type": "tool_result", "content": [{"type": "text", "text": TEXT}]}]}]},
    ),
    "anthropic, text document": (
        Protocol.ANTHROPIC,
        {"messages": [{"content": [{"type": "document", "source": {"type": "text", "data": TEXT}}]}]},
    ),
    "gemini, system": (Protocol.GEMINI, {"systemInstruction": {"parts": [{"text": TEXT}]}}),
    "gemini, text": (Protocol.GEMINI, {"contents": {"parts": [{"text": TEXT}]}}),
    "gemini, call": (
        Protocol.GEMINI,
        {"contents": [{"parts": [{"functionCall": {"name": "f", "args": {"a": TEXT}}}]}]},
    ),
    "gemini, tool": (Protocol.GEMINI, {"tools": [{"functionDeclarations": [{"name": "f", "description": TEXT}]}]}),
    "bedrock, system": (Protocol.BEDROCK, {"system": [{"text": TEXT}]}),
    "bedrock, tool use": (Protocol.BEDROCK, {"messages": [{"content": [{"toolUse": {"input": {"a": TEXT}}}]}]}),
    "bedrock, tool result": (
        Protocol.BEDROCK,
        {"messages": [{"content": [{"toolResult": {"content": [{"json": {"a": TEXT}}]}}]}]},
    ),
    "bedrock, tool": (
        Protocol.BEDROCK,
        {"toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"description": TEXT}}}}]}},
    ),
}


@pytest.mark.parametrize(("protocol", "document"), HELD.values(), ids=HELD.keys())
async def test_every_place_where_text_may_stand_counts(
    tokenizer: Tokenizer, protocol: Protocol, document: dict[str, Any]
) -> None:
    """With the text it costs the text's tokens more than with an empty one in its place."""
    empty = json.loads(json.dumps(document).replace(TEXT, ""))
    difference = await prompt_tokens(tokenizer, protocol, document, "gpt-4o") - await prompt_tokens(
        tokenizer, protocol, empty, "gpt-4o"
    )
    assert 4 <= difference <= 7


FIELDS = st.sampled_from(
    [
        "messages",
        "content",
        "input",
        "prompt",
        "tools",
        "function",
        "parameters",
        "properties",
        "items",
        "enum",
        "role",
        "name",
        "text",
        "image_url",
        "url",
        "input_audio",
        "data",
        "format",
        "file",
        "file_data",
        "tool_calls",
        "arguments",
        "system",
        "source",
        "contents",
        "parts",
        "inlineData",
        "mimeType",
        "toolConfig",
        "toolSpec",
        "toolUse",
        "toolResult",
        "image",
        "document",
        "bytes",
        "json",
        "type",
    ]
)

JSON = st.recursive(
    st.sampled_from([None, True, -1, 10**30, 0.5, "", "text", "data:image/png;base64,AAAA", "\ud800"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=8,
)


@given(document=st.dictionaries(FIELDS, JSON, max_size=6))
def test_no_body_is_an_error(document: dict[str, Any]) -> None:
    """Whatever JSON a caller sends, it is counted as far as it makes sense; its backend will refuse what does not."""
    for prompt in PROMPTS.values():
        parts = prompt(document, "gpt-4o")
        assert parts.tokens >= 0
        assert all(isinstance(text, str) for text in parts.texts)


ROLES = st.sampled_from(["system", "user", "assistant", "tool", "gibberish", ""])
PLAIN = st.fixed_dictionaries({"role": ROLES | st.none(), "content": st.text(max_size=60)})


@given(
    messages=st.lists(PLAIN | st.fixed_dictionaries({"content": st.text(), "n": st.text()}), max_size=8),
    escaped=st.booleans(),
)
def test_a_plain_chat_has_no_more_tokens_than_bytes(tokenizer: Tokenizer, messages: list[Any], escaped: bool) -> None:
    """Whatever it says, and however its JSON is written."""
    document = {"messages": messages}
    content = json.dumps(document, separators=(",", ":"), ensure_ascii=escaped).encode(errors="replace")
    most = most_prompt_tokens(Protocol.CHAT, document, content)
    assert most == len(content)
    assert prompt_tokens_now(tokenizer, Protocol.CHAT, document, "gpt-4o") <= most


@pytest.mark.parametrize(
    "document",
    [
        {"messages": [], "tools": []},
        {"messages": [], "functions": []},
        {"messages": [], "response_format": {}},
        {"messages": {"role": "user", "content": "x"}},
        {"messages": ["x"]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "https://a/b.png"}]}]},
        {"messages": [{"role": "user", "content": "x", "name": "y"}]},
        {"prompt": "x"},
    ],
    ids=str,
)
def test_what_is_no_plain_chat_has_no_bound(document: dict[str, Any]) -> None:
    """It is counted, however short it is."""
    assert most_prompt_tokens(Protocol.CHAT, document, json.dumps(document).encode()) is None


def test_a_long_chat_and_other_protocols_have_no_bound() -> None:
    """Their bytes say too little."""
    document = {"messages": [{"role": "user", "content": "x" * LONGEST_BOUNDED_BYTES}]}
    assert most_prompt_tokens(Protocol.CHAT, document, json.dumps(document).encode()) is None
    document["messages"][0]["content"] = "x"
    assert most_prompt_tokens(Protocol.RESPONSES, document, json.dumps(document).encode()) is None
