"""Messages, joined from their pieces as servers of different makes cut them."""

from typing import Any

import pytest

from gateway.llm.tokens import Protocol
from tests.cache.answers.chunks import called, chunks, delta
from tests.cache.answers.samples import collected

WEATHER = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Bern"}'}}
CLOCK = {"id": "call_2", "type": "function", "function": {"name": "clock", "arguments": "{}"}}

MESSAGES: dict[str, tuple[bytes, dict[str, Any]]] = {
    "the role in every chunk": (
        chunks(delta(role="assistant", content="Hel"), delta("stop", role="assistant", content="lo")),
        {"content": "Hello"},
    ),
    "ends with an empty text": (chunks(delta(content="Hello"), delta("stop", content="")), {"content": "Hello"}),
    "reasons, then answers": (
        chunks(
            delta(role="assistant", content=None, reasoning_content="Hm"),
            delta(reasoning_content="m."),
            delta(content="Yes", reasoning_content=None),
            delta("stop", content="."),
        ),
        {"content": "Yes.", "reasoning_content": "Hmm."},
    ),
    "an unknown text in pieces": (
        chunks(delta(thoughts="Well"), delta(thoughts=", yes"), delta("stop", content="Yes")),
        {"content": "Yes", "thoughts": "Well, yes"},
    ),
    "a call in pieces": (
        chunks(
            delta(role="assistant", content=None),
            called(0, id="call_1", type="function", function={"name": "weather", "arguments": ""}),
            called(0, function={"arguments": '{"city"'}),
            called(0, function={"arguments": ':"Bern"}'}),
            called(1, **CLOCK),
            delta("tool_calls"),
        ),
        {"content": None, "tool_calls": [WEATHER, CLOCK]},
    ),
    "calls in turns, with what they are in every piece": (
        chunks(
            called(1, id="call_2", type="function", function={"name": "clock", "arguments": "{"}),
            called(0, id="call_1", type="function", function={"name": "weather", "arguments": '{"city":'}),
            called(1, id="call_2", type="function", function={"name": "clock", "arguments": "}"}),
            called(0, id="", type="function", function={"name": None, "arguments": '"Bern"}'}),
            delta("tool_calls"),
        ),
        {"content": None, "tool_calls": [WEATHER, CLOCK]},
    ),
    "whole calls without an index": (
        chunks(called(None, **WEATHER), called(None, **CLOCK), delta("tool_calls")),
        {"content": None, "tool_calls": [WEATHER, CLOCK]},
    ),
    "a function in pieces": (
        chunks(
            delta(function_call={"name": "clock", "arguments": ""}),
            delta(function_call={"arguments": "{}"}),
            delta("function_call"),
        ),
        {"content": None, "function_call": {"name": "clock", "arguments": "{}"}},
    ),
    "details of the reasoning": (
        chunks(
            delta(reasoning_details=[{"type": "reasoning.text", "index": 0, "format": "v1", "text": "Well"}]),
            delta(reasoning_details=[{"type": "reasoning.text", "index": 0, "format": "v1", "text": ", yes"}]),
            delta("stop", content="Yes"),
        ),
        {
            "content": "Yes",
            "reasoning_details": [{"type": "reasoning.text", "index": 0, "format": "v1", "text": "Well, yes"}],
        },
    ),
    "citations with an index that is a place": (
        chunks(
            delta(content="Yes", annotations=[{"type": "file_citation", "index": 3, "file_id": "a"}]),
            delta("stop", annotations=[{"type": "file_citation", "index": 3, "file_id": "b"}]),
        ),
        {
            "content": "Yes",
            "annotations": [
                {"type": "file_citation", "index": 3, "file_id": "a"},
                {"type": "file_citation", "index": 3, "file_id": "b"},
            ],
        },
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_are_assembled(name: str) -> None:
    """With nulls where the whole form has them."""
    stream, expected = MESSAGES[name]
    assembled = collected(Protocol.CHAT, [stream])["choices"][0]["message"]
    assert assembled == {"role": "assistant", "refusal": None, **expected}
