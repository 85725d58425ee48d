"""Responses through the official client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import NotFoundError, OpenAI

from local.model.tokens import count_tokens, tokens_of
from tests.local.model.conversation import HELLO_BACK, WEATHER_SCHEMA


def test_responses_are_kept_until_deleted(client: OpenAI) -> None:
    """A response can be fetched again, and is gone after its deletion."""
    made = client.responses.create(model="any", instructions="be brief", input=[{"role": "user", "content": "hello"}])
    assert made.output_text == HELLO_BACK
    assert made.usage is not None
    assert made.usage.input_tokens == 1 + 1 + 1 + 2
    assert made.usage.output_tokens == count_tokens(HELLO_BACK)
    assert client.responses.retrieve(made.id).output_text == HELLO_BACK
    client.responses.delete(made.id)
    with pytest.raises(NotFoundError):
        client.responses.retrieve(made.id)


def test_only_recent_responses_are_kept(client: OpenAI) -> None:
    """The store is bounded, and `store: false` leaves nothing in it."""
    first = client.responses.create(model="any", input="hello")
    unkept = client.responses.create(model="any", input="hello", store=False)
    for _ in range(100):
        client.responses.create(model="any", input="hello")
    for gone in (first, unkept):
        with pytest.raises(NotFoundError):
            client.responses.retrieve(gone.id)


def test_responses_stream_their_events_in_order(client: OpenAI) -> None:
    """Every event of a text answer, numbered, the last with the usage."""
    events: list[Any] = list(client.responses.create(model="any", input="hello", stream=True))
    deltas = ["response.output_text.delta"] * count_tokens(HELLO_BACK)
    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *deltas,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == deltas[0]) == HELLO_BACK
    assert events[-1].response.usage.output_tokens == len(deltas)


def test_responses_say_that_they_were_cut(client: OpenAI) -> None:
    """max_output_tokens makes an incomplete response."""
    events: list[Any] = list(client.responses.create(model="any", input="hello", max_output_tokens=1, stream=True))
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.incomplete_details.reason == "max_output_tokens"
    assert events[-1].response.output_text == "You"


def test_responses_call_tools(client: OpenAI) -> None:
    """The flat form of tools works, and a tool's output leads to text."""
    tools: Any = [{"type": "function", "name": "weather", "parameters": WEATHER_SCHEMA, "strict": False}]
    events: list[Any] = list(client.responses.create(model="any", input="weather?", tools=tools, stream=True))
    call = events[-1].response.output[0]
    assert json.loads(call.arguments) == {"city": "text", "days": 1}
    pieces = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert pieces == tokens_of(call.arguments)
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    question: Any = {"role": "user", "content": "weather?"}
    assert client.responses.create(model="any", input=[question, output], tools=tools).output_text
