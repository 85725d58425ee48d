"""What backends say they used, in the shapes that their makers document."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.llm.usage import Usage, delivered_text, usage_in_headers, usage_of

ANSWERS: dict[str, tuple[dict[str, Any], Usage]] = {
    "chat completions": (
        {
            "usage": {
                "prompt_tokens": 19,
                "completion_tokens": 10,
                "total_tokens": 29,
                "prompt_tokens_details": {"cached_tokens": 7, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 4},
            }
        },
        Usage(19, 10, 7, 4),
    ),
    "embeddings": ({"usage": {"prompt_tokens": 8, "total_tokens": 8}}, Usage(8)),
    "responses": (
        {
            "usage": {
                "input_tokens": 36,
                "input_tokens_details": {"cached_tokens": 3},
                "output_tokens": 87,
                "output_tokens_details": {"reasoning_tokens": 20},
                "total_tokens": 123,
            }
        },
        Usage(36, 87, 3, 20),
    ),
    "responses, last event": (
        {
            "type": "response.completed",
            "response": {"usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}},
        },
        Usage(1, 2),
    ),
    "Anthropic": (
        {
            "usage": {
                "input_tokens": 50,
                "cache_read_input_tokens": 1000,
                "cache_creation_input_tokens": 200,
                "output_tokens": 9,
            }
        },
        Usage(1250, 9, 1000),
    ),
    "Anthropic, first event": (
        {"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}},
        Usage(25, 0),
    ),
    "Anthropic, last event": ({"type": "message_delta", "usage": {"output_tokens": 15}}, Usage(0, 15)),
    "Gemini": (
        {
            "usageMetadata": {
                "promptTokenCount": 11,
                "candidatesTokenCount": 73,
                "thoughtsTokenCount": 20,
                "cachedContentTokenCount": 5,
                "totalTokenCount": 104,
            }
        },
        Usage(11, 93, 5, 20),
    ),
    "Bedrock": (
        {"usage": {"inputTokens": 30, "outputTokens": 628, "totalTokens": 658, "cacheReadInputTokens": 4}},
        Usage(34, 628, 4),
    ),
}


@pytest.mark.parametrize(("document", "usage"), ANSWERS.values(), ids=ANSWERS.keys())
def test_what_is_said(document: dict[str, Any], usage: Usage) -> None:
    """Each protocol's figures, with its own idea of what the prompt includes."""
    assert usage_of(document) == usage
    assert usage.total == usage.prompt + usage.completion


@pytest.mark.parametrize("figure", [-1, "19", 19.5, True, 10**12, [], {}])
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
def test_absurd_figures_are_not_said(name: str, figure: object) -> None:
    """Then the gateway counts for itself."""
    assert usage_of({"usage": {"prompt_tokens": 5, "completion_tokens": 5} | {name: figure}}) is None


@pytest.mark.parametrize(
    "document", [{}, {"usage": None}, {"usage": []}, {"usage": {}}, {"usage": {"prompt_tokens": 0}}]
)
def test_nothing_is_said(document: dict[str, Any]) -> None:
    """No usage, or one without any figure."""
    assert usage_of(document) is None


def test_a_stream_says_it_in_parts() -> None:
    """Anthropic's first event has the prompt, its last the running total of the answer."""
    first, last = (usage_of(ANSWERS[f"Anthropic, {which} event"][0]) for which in ("first", "last"))
    assert first is not None
    assert last is not None
    assert last.after(first) == Usage(25, 15)


HEADERS: dict[str, tuple[dict[bytes, bytes], Usage | None]] = {
    "both": (
        {b"x-amzn-bedrock-input-token-count": b"12", b"x-amzn-bedrock-output-token-count": b"34"},
        Usage(12, 34),
    ),
    "an embedding": ({b"x-amzn-bedrock-input-token-count": b"12"}, Usage(12)),
    "none": ({}, None),
    "no number": ({b"x-amzn-bedrock-input-token-count": b"-1"}, None),
    "absurd": ({b"x-amzn-bedrock-input-token-count": b"9" * 15}, None),
    "endless": ({b"x-amzn-bedrock-input-token-count": b"9" * 5_000}, None),
}


@pytest.mark.parametrize(("headers", "usage"), HEADERS.values(), ids=HEADERS.keys())
def test_bedrocks_headers(headers: dict[bytes, bytes], usage: Usage | None) -> None:
    """Which say it for models whose bodies do not."""
    assert usage_in_headers(list(headers.items())) == usage


TEXTS: dict[str, dict[str, Any]] = {
    "chat": {"choices": [{"message": {"content": "one "}}, {"message": {"content": "two"}}]},
    "chat, event": {"choices": [{"delta": {"content": "one two"}}]},
    "chat, tool call": {"choices": [{"delta": {"tool_calls": [{"function": {"name": "one ", "arguments": "two"}}]}}]},
    "chat, reasoning": {"choices": [{"delta": {"reasoning_content": "one two"}}]},
    "completions": {"choices": [{"text": "one two"}]},
    "responses": {"output": [{"content": [{"type": "output_text", "text": "one two"}]}]},
    "responses, event": {"type": "response.output_text.delta", "delta": "one two"},
    "Anthropic": {"content": [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]},
    "Anthropic, event": {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "one two"}},
    "Anthropic, tool": {"type": "content_block_delta", "delta": {"partial_json": "one two"}},
    "Gemini": {"candidates": [{"content": {"parts": [{"text": "one "}, {"text": "two"}]}}]},
    "Bedrock": {"output": {"message": {"content": [{"text": "one two"}]}}},
}


@pytest.mark.parametrize("document", TEXTS.values(), ids=TEXTS.keys())
def test_the_text_that_was_delivered(document: dict[str, Any]) -> None:
    """Wherever a protocol puts generated text."""
    assert "".join(delivered_text(document)) == "one two"


FIELDS = st.sampled_from(
    ["usage", "usageMetadata", "response", "message", "choices", "delta", "content", "output", "parts", "input_tokens"]
)
JSON = st.recursive(
    st.sampled_from([None, True, -1, 10**30, 0.5, "", "text"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(FIELDS, JSON, max_size=5))
def test_no_answer_is_an_error(document: dict[str, Any]) -> None:
    """Whatever JSON a backend sends: a usage that makes sense, or none; and text that is text."""
    usage = usage_of(document)
    assert usage is None or min(usage.prompt, usage.completion, usage.cached, usage.reasoning) >= 0
    assert all(isinstance(text, str) for text in delivered_text(document))
