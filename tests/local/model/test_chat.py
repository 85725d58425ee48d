"""Chat completions through the official client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionChunk

from local.model import ModelServer
from local.model.tokens import count_tokens
from tests.local.model.conversation import HELLO, HELLO_BACK, WEATHER_SCHEMA, chat

WEATHER: Any = {"type": "function", "function": {"name": "weather", "parameters": WEATHER_SCHEMA}}
CLOCK: Any = {"type": "function", "function": {"name": "clock"}}
ASK_WEATHER: list[Any] = [{"role": "user", "content": "call weather please"}]


def text_of(chunks: list[ChatCompletionChunk], index: int = 0) -> str:
    choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
    return "".join(choice.delta.content or "" for choice in choices)


def test_chat_answers_the_last_user_message(client: OpenAI) -> None:
    """The text follows from the question, and usage counts exactly what came and went."""
    answer = chat(client)
    assert answer.choices[0].message.content == HELLO_BACK
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == 1 + count_tokens("hello")
    assert answer.usage.completion_tokens == count_tokens(HELLO_BACK)
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_chat_streams_the_same_text(client: OpenAI) -> None:
    """The pieces of a stream are the tokens of the whole answer, then the reason, and no usage unless asked."""
    chunks = list(chat(client, stream=True))
    assert text_of(chunks) == HELLO_BACK
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert not any(chunk.usage for chunk in chunks)


def test_chat_stream_ends_with_usage_when_asked(client: OpenAI) -> None:
    """include_usage adds one chunk without choices, equal to what the plain answer says."""
    chunks = list(chat(client, stream=True, stream_options={"include_usage": True}))
    assert not chunks[-1].choices
    assert chunks[-1].usage == chat(client).usage
    assert not any(chunk.usage for chunk in chunks[:-1])


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_chat_stops_at_the_limit(client: OpenAI, field: str) -> None:
    """Either limit cuts between tokens, and says so."""
    answer = chat(client, **{field: 2})
    assert answer.choices[0].message.content == "You said"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 2


@pytest.mark.parametrize("stop", [" hello", [":", " hello"], ["nowhere", ":"]], ids=["one", "first wins", "unused"])
def test_chat_stops_before_a_stop_sequence(client: OpenAI, stop: Any) -> None:
    """The answer ends before the earliest stop sequence."""
    expected = "You said:" if stop == " hello" else "You said"
    answer = chat(client, stop=stop)
    assert answer.choices[0].message.content == expected
    assert answer.usage.completion_tokens == count_tokens(expected)


def test_chat_gives_several_choices(client: OpenAI) -> None:
    """n choices differ, plain or streamed, and all of them are paid for."""
    answer = chat(client, n=3)
    texts = [choice.message.content for choice in answer.choices]
    assert texts == [HELLO_BACK, f"{HELLO_BACK} (2)", f"{HELLO_BACK} (3)"]
    assert answer.usage.completion_tokens == sum(map(count_tokens, texts))
    chunks = list(chat(client, n=3, stream=True))
    assert [text_of(chunks, index) for index in range(3)] == texts


@pytest.mark.parametrize(
    ("response_format", "expected"),
    [
        ({"type": "json_object"}, {"answer": HELLO_BACK}),
        ({"type": "json_schema", "json_schema": {"name": "w", "schema": WEATHER_SCHEMA}}, {"city": "text", "days": 1}),
    ],
    ids=["json_object", "json_schema"],
)
def test_chat_answers_in_json(client: OpenAI, response_format: Any, expected: Any) -> None:
    """A response format gives JSON, of the schema if there is one."""
    assert json.loads(chat(client, response_format=response_format).choices[0].message.content) == expected


@pytest.mark.parametrize("words", [0, 1, 100])
def test_chat_recites_as_many_words_as_asked(client: OpenAI, words: int) -> None:
    """x-stand-in-words sets the length of the text."""
    answer = chat(client, extra_headers={"x-stand-in-words": str(words)})
    assert len(answer.choices[0].message.content.split()) == words
    assert answer.usage.completion_tokens == words


@pytest.mark.parametrize(
    ("messages", "options", "called"),
    [
        (ASK_WEATHER, {}, ["weather"]),
        (ASK_WEATHER, {"tool_choice": "none"}, []),
        (HELLO, {}, []),
        (HELLO, {"tool_choice": "required"}, ["weather"]),
        (HELLO, {"tool_choice": {"type": "function", "function": {"name": "clock"}}}, ["clock"]),
        ([{"role": "user", "content": "weather and clock"}], {}, ["weather", "clock"]),
        ([{"role": "user", "content": "weather and clock"}], {"parallel_tool_calls": False}, ["weather"]),
        ([*ASK_WEATHER, {"role": "tool", "content": "sunny", "tool_call_id": "call_1"}], {}, []),
    ],
    ids=["named", "none", "not named", "required", "forced", "two", "not parallel", "after a tool"],
)
def test_chat_calls_tools(client: OpenAI, messages: Any, options: dict[str, Any], called: list[str]) -> None:
    """Tools are called when named or forced, with JSON arguments, the same plain and streamed."""
    request = {"messages": messages, "tools": [WEATHER, CLOCK], **options}
    answer = chat(client, **request)
    message = answer.choices[0].message
    assert [call.function.name for call in message.tool_calls or []] == called
    assert answer.choices[0].finish_reason == ("tool_calls" if called else "stop")
    assert (message.content is None) == bool(called)
    arguments = {call.function.name: json.loads(call.function.arguments) for call in message.tool_calls or []}
    assert arguments == {name: {"city": "text", "days": 1} if name == "weather" else {} for name in called}
    assert streamed_calls(list(chat(client, stream=True, **request))) == arguments


def streamed_calls(chunks: list[ChatCompletionChunk]) -> dict[str, Any]:
    names: dict[int, str] = {}
    arguments: dict[int, str] = {}
    for call in [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]:
        assert call.function is not None
        names[call.index] = call.function.name or names[call.index]
        arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
    return {names[index]: json.loads(text) for index, text in arguments.items()}


@pytest.fixture
async def async_client(server: ModelServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=server.url, api_key="any", max_retries=0) as built:
        yield built


async def test_async_client_chats_and_streams(async_client: AsyncOpenAI) -> None:
    """The asynchronous client gets the same."""
    stream = await async_client.chat.completions.create(model="any", messages=HELLO, stream=True)
    assert text_of([chunk async for chunk in stream]) == HELLO_BACK
