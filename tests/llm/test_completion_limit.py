"""The most tokens that a request lets its model generate, in every protocol."""

from typing import Any

import pytest

from gateway.llm.completion_limit import UnusableLimit, most_completion_tokens
from gateway.llm.tokens import Protocol

CASES: dict[str, tuple[Protocol | None, dict[str, Any] | None, int | None]] = {
    "chat": (Protocol.CHAT, {"max_completion_tokens": 50}, 50),
    "chat, the older name": (Protocol.CHAT, {"max_tokens": 50}, 50),
    "chat, both": (Protocol.CHAT, {"max_tokens": 70, "max_completion_tokens": 50}, 50),
    "chat, several choices": (Protocol.CHAT, {"max_tokens": 50, "n": 3}, 150),
    "chat, nothing said": (Protocol.CHAT, {}, None),
    "chat, null": (Protocol.CHAT, {"max_completion_tokens": None, "max_tokens": 50}, 50),
    "chat, absurd choices": (Protocol.CHAT, {"max_tokens": 50, "n": 10**9}, 50),
    "completions, the best of several": (Protocol.COMPLETIONS, {"max_tokens": 10, "n": 1, "best_of": 4}, 40),
    "responses": (Protocol.RESPONSES, {"max_output_tokens": 30}, 30),
    "anthropic": (Protocol.ANTHROPIC, {"max_tokens": 20}, 20),
    "gemini": (Protocol.GEMINI, {"generationConfig": {"maxOutputTokens": 8, "candidateCount": 2}}, 16),
    "bedrock": (Protocol.BEDROCK, {"inferenceConfig": {"maxTokens": 9}}, 9),
    "bedrock, not an object": (Protocol.BEDROCK, {"inferenceConfig": 9}, None),
    "embeddings": (Protocol.EMBEDDINGS, {"input": "a"}, 0),
    "images": (Protocol.IMAGES, {"prompt": "a"}, 0),
    "a body nobody has read": (Protocol.CHAT, None, None),
    "a protocol nobody knows": (None, {"max_tokens": 5}, None),
}


@pytest.mark.parametrize(("protocol", "document", "expected"), CASES.values(), ids=CASES.keys())
def test_the_most(protocol: Protocol | None, document: dict[str, Any] | None, expected: int | None) -> None:
    """As each protocol says it; None where it does not."""
    assert most_completion_tokens(protocol, document) == expected


UNUSABLE: dict[str, tuple[Protocol, dict[str, Any], str]] = {
    "text": (Protocol.CHAT, {"max_tokens": "50"}, "max_tokens"),
    "true": (Protocol.CHAT, {"max_tokens": True}, "max_tokens"),
    "negative": (Protocol.CHAT, {"max_tokens": -1}, "max_tokens"),
    "zero": (Protocol.RESPONSES, {"max_output_tokens": 0}, "max_output_tokens"),
    "no whole number": (Protocol.ANTHROPIC, {"max_tokens": 1.5}, "max_tokens"),
    "absurd": (Protocol.CHAT, {"max_completion_tokens": 10**18}, "max_completion_tokens"),
    "the name that counts": (
        Protocol.CHAT,
        {"max_completion_tokens": -1, "max_tokens": 50},
        "max_completion_tokens",
    ),
    "in an object": (
        Protocol.GEMINI,
        {"generationConfig": {"maxOutputTokens": "8"}},
        "generationConfig.maxOutputTokens",
    ),
}


@pytest.mark.parametrize(("protocol", "document", "name"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_what_is_no_limit(protocol: Protocol, document: dict[str, Any], name: str) -> None:
    """It is not taken for missing: the parameter is named, and what it has to be."""
    with pytest.raises(UnusableLimit) as unusable:
        most_completion_tokens(protocol, document)
    assert unusable.value.name == name
    assert str(unusable.value) == f"{name} must be a whole number from 1 to 100,000,000: so many tokens are reserved."
