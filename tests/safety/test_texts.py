"""What there is to screen in a request."""

import base64
from typing import Any

import pytest

from gateway.llm.tokens import Protocol
from gateway.safety.texts import asked_of

PICTURE = base64.b64encode(b"picture").decode()

CASES: dict[str, tuple[Protocol | None, dict[str, Any], set[str]]] = {
    "chat": (
        Protocol.CHAT,
        {
            "model": "no-text",
            "messages": [
                {"role": "system", "content": "T1"},
                {"role": "developer", "content": [{"type": "text", "text": "T2"}]},
                {"role": "user", "name": "T3", "content": [{"type": "text", "text": "T4"}]},
                {
                    "role": "assistant",
                    "refusal": "T5",
                    "tool_calls": [{"function": {"name": "T6", "arguments": '{"T7":"\\u00548"}'}}],
                },
                {"role": "tool", "tool_call_id": "no-text", "content": "T9"},
            ],
            "tools": [
                {"type": "function", "function": {"name": "Ta", "parameters": {"properties": {"Tb": {"enum": ["Tc"]}}}}}
            ],
            "prediction": {"type": "content", "content": "Td"},
        },
        {"T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "Ta", "Tb", "Tc", "Td"},
    ),
    "completions": (Protocol.COMPLETIONS, {"prompt": ["T1", "T2"], "suffix": "T3"}, {"T1", "T2", "T3"}),
    "embeddings": (Protocol.EMBEDDINGS, {"input": ["T1", "T2"]}, {"T1", "T2"}),
    "responses": (
        Protocol.RESPONSES,
        {
            "instructions": "T1",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "T2"}]},
                {"type": "function_call", "name": "T3", "arguments": '{"a":"T4"}'},
                {"type": "function_call_output", "call_id": "no-text", "output": "T5"},
            ],
        },
        {"T1", "T2", "T3", "T4", "T5"},
    ),
    "anthropic": (
        Protocol.ANTHROPIC,
        {
            "system": [{"type": "text", "text": "T1"}],
            "messages": [
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "no-text", "name": "T2", "input": {"T3": "T4"}}],
                },
                {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "T5"}]}]},
                {
                    "role": "user",
                    "content": [{"type": "document", "title": "T6", "source": {"type": "text", "data": "T7"}}],
                },
            ],
        },
        {"T1", "T2", "T3", "T4", "T5", "T6", "T7"},
    ),
    "gemini": (
        Protocol.GEMINI,
        {
            "systemInstruction": {"parts": [{"text": "T1"}]},
            "contents": [
                {
                    "role": "user",
                    "parts": [{"text": "T2"}, {"functionResponse": {"name": "T3", "response": {"T4": "T5"}}}],
                }
            ],
        },
        {"T1", "T2", "T3", "T4", "T5"},
    ),
    "bedrock": (
        Protocol.BEDROCK,
        {
            "system": [{"text": "T1"}],
            "messages": [
                {"role": "user", "content": [{"text": "T2"}, {"toolResult": {"content": [{"json": {"T3": "T4"}}]}}]}
            ],
        },
        {"T1", "T2", "T3", "T4"},
    ),
    "unknown": (None, {"query": "T1", "texts": ["T2"], "other": {"more": ["no-text", "T3"]}}, {"T1", "T2", "T3"}),
}


@pytest.mark.parametrize("name", CASES)
def test_all_text_of_a_request_is_found(name: str) -> None:
    """And no names of models or identifiers."""
    protocol, document, expected = CASES[name]
    texts = asked_of(document, protocol, ("/other/more/1",)).texts
    assert {word for text in texts for word in text.split() if word.startswith("T") and len(word) == 2} == expected
    assert not any("no-text" in text for text in texts)


def test_the_last_message_of_the_user_is_the_prompt_and_what_tools_found_are_documents() -> None:
    """Of all turns."""
    messages = [
        {"role": "user", "content": "first"},
        {"role": "tool", "content": "found"},
        {"role": "user", "content": [{"type": "text", "text": "last"}, {"type": "text", "text": "words"}]},
        {"role": "assistant", "content": "said"},
    ]
    asked = asked_of({"messages": messages}, Protocol.CHAT)
    assert asked.user_prompt == "last\nwords"
    assert asked.documents == ("found",)


IMAGES: dict[str, tuple[Protocol, dict[str, Any]]] = {
    "chat": (Protocol.CHAT, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}),
    "anthropic": (
        Protocol.ANTHROPIC,
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
    ),
    "bedrock": (Protocol.BEDROCK, {"image": {"format": "png", "source": {"bytes": PICTURE}}}),
}


@pytest.mark.parametrize("name", IMAGES)
def test_inline_images_are_no_text(name: str) -> None:
    """They are found by themselves."""
    protocol, part = IMAGES[name]
    asked = asked_of({"messages": [{"role": "user", "content": [part]}]}, protocol)
    assert asked.images == (b"picture",)
    assert asked.texts == ()


def test_token_numbers_cannot_be_read() -> None:
    """Nor what nests without end."""
    assert asked_of({"input": [[1, 2]]}, Protocol.EMBEDDINGS).unreadable
    assert asked_of({"prompt": [1, 2]}, Protocol.COMPLETIONS).unreadable


def test_an_empty_prompt_has_nothing_to_screen() -> None:
    """And is for the backend to refuse."""
    assert asked_of({"messages": [{"role": "user", "content": ""}]}, Protocol.CHAT).texts == ()


STRANGE: list[Any] = [None, 5, True, [], {}, [[]], ["T1"], {"T1": "T1"}]


@pytest.mark.parametrize("protocol", [Protocol.CHAT, None])
@pytest.mark.parametrize("value", STRANGE, ids=str)
def test_values_of_a_wrong_type_are_no_error(value: Any, protocol: Protocol | None) -> None:
    """Wherever a name, a list or a message is expected; what is beside them is read all the same."""
    part = {"type": value, "text": "said"}
    for message in (
        {"role": value, "content": "said"},
        {"role": "user", "content": "said", "type": value},
        {"role": "user", "content": [part, value]},
        {"role": "user", "parts": value, "content": "said"},
    ):
        document = {"model": value, "messages": [value, message], "input": value, "tools": value}
        assert "said" in "\n".join(asked_of(document, protocol).texts).split("\n")
