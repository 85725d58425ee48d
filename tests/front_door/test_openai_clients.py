"""The official clients, unchanged but for a base URL and a key."""

from collections.abc import Callable, Iterator

import pytest
from openai import APIError, AsyncOpenAI, AuthenticationError, AzureOpenAI, NotFoundError, OpenAI, RateLimitError

from tests.front_door.system import System

HELLO = [{"role": "user", "content": "Say hello to the whole world"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


@pytest.fixture(params=["", "/v1"], ids=["without v1", "with v1"])
def client(system: System, request: pytest.FixtureRequest) -> Iterator[OpenAI]:
    """The client with and without /v1 in its base URL."""
    with OpenAI(base_url=f"{system.url}/openai{request.param}", api_key=system.keys["team"], max_retries=0) as made:
        yield made


def test_chat(client: OpenAI) -> None:
    """An answer with usage, and the gateway's request id."""
    answer = client.chat.completions.create(model="stand-in", messages=HELLO)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer._request_id


def test_chat_stream_is_the_same_answer(client: OpenAI) -> None:
    """The streamed pieces add up to the whole answer; usage comes when asked for."""
    whole = client.chat.completions.create(model="stand-in", messages=HELLO)
    stream = client.chat.completions.create(
        model="stand-in", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


def test_tool_calls(client: OpenAI) -> None:
    """Tools, plain and streamed, pass through whole."""
    asked = [{"role": "user", "content": "Call get_weather for Paris"}]
    whole = client.chat.completions.create(model="stand-in", messages=asked, tools=TOOLS, tool_choice="required")
    calls = whole.choices[0].message.tool_calls
    assert calls
    assert calls[0].function.name == "get_weather"
    pieces = client.chat.completions.create(
        model="stand-in", messages=asked, tools=TOOLS, tool_choice="required", stream=True
    )
    arguments = "".join(
        call.function.arguments or ""
        for chunk in pieces
        for choice in chunk.choices
        for call in choice.delta.tool_calls or []
        if call.function
    )
    assert arguments == calls[0].function.arguments


def test_completions(client: OpenAI) -> None:
    """The older operation."""
    assert client.completions.create(model="stand-in", prompt="Hello there").choices[0].text


def test_embeddings(client: OpenAI) -> None:
    """Vectors, in the base64 form the SDK asks for."""
    answer = client.embeddings.create(model="stand-in-embeddings", input=["one", "two"], dimensions=64)
    assert [len(item.embedding) for item in answer.data] == [64, 64]


def test_responses(client: OpenAI) -> None:
    """The responses operation, plain and as an event stream, and reading one back."""
    answer = client.responses.create(model="stand-in", input="Hello there")
    assert answer.output_text
    assert client.responses.retrieve(answer.id).id == answer.id
    kinds = [event.type for event in client.responses.create(model="stand-in", input="Hello there", stream=True)]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"


def test_models(client: OpenAI) -> None:
    """The list and one of it."""
    names = [model.id for model in client.models.list()]
    assert names
    assert client.models.retrieve(names[0]).id == names[0]


def test_moderations_images_and_audio(client: OpenAI) -> None:
    """JSON, multipart and binary bodies."""
    assert client.moderations.create(input="hello").results
    assert client.images.generate(prompt="a cat").data
    assert client.audio.transcriptions.create(model="stand-in", file=("a.wav", b"RIFF0000WAVE" * 100)).text
    assert client.audio.speech.create(model="stand-in", voice="alloy", input="hello").read()


async def test_async_client(system: System) -> None:
    """AsyncOpenAI, streaming."""
    async with AsyncOpenAI(base_url=f"{system.url}/openai", api_key=system.keys["team"]) as client:
        stream = await client.chat.completions.create(model="stand-in", messages=HELLO, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    assert text


@pytest.mark.parametrize("path", ["", "/openai"], ids=["API at the root", "API with a path"])
def test_azure_client(system: System, path: str) -> None:
    """AzureOpenAI builds paths with the deployment, and sends its key as api-key."""
    client = AzureOpenAI(
        azure_endpoint=system.url + path, api_key=system.keys["team"], api_version="2024-10-21", max_retries=0
    )
    with client:
        answer = client.chat.completions.create(model="my-deployment", messages=HELLO)
        assert answer.choices[0].message.content
        streamed = list(client.chat.completions.create(model="my-deployment", messages=HELLO, stream=True))
        assert streamed[-1].choices[0].finish_reason == "stop"


def test_root_api_has_the_function_of_its_own(system: System) -> None:
    """POST /chat/completions is a function by itself, and answers like the rest."""
    with OpenAI(base_url=system.url, api_key=system.keys["team"]) as client:
        assert client.chat.completions.create(model="stand-in", messages=HELLO).choices


def test_errors_are_the_sdks_own(system: System, client: OpenAI) -> None:
    """The SDK raises its typed errors for the gateway's refusals and for the backend's alike."""
    with (
        OpenAI(base_url=f"{system.url}/openai", api_key="wrong", max_retries=0) as stranger,
        pytest.raises(AuthenticationError) as refused,
    ):
        stranger.chat.completions.create(model="stand-in", messages=HELLO)
    assert refused.value.code == "SubscriptionKeyInvalid"
    assert refused.value.body["message"].startswith("Access denied due to invalid subscription key.")
    with pytest.raises(NotFoundError) as missing:
        client.chat.completions.create(model="missing", messages=HELLO)
    assert missing.value.code == "model_not_found"
    with pytest.raises(RateLimitError):
        client.chat.completions.create(model="stand-in", messages=HELLO, extra_headers={"x-stand-in-status": "429"})


def test_a_broken_stream_raises(client: OpenAI) -> None:
    """The final error event reaches the program that iterates."""
    stream = client.chat.completions.create(
        model="stand-in",
        messages=HELLO,
        stream=True,
        extra_headers={"x-stand-in-words": "200", "x-stand-in-reset-after-bytes": "3000"},
    )
    with pytest.raises(APIError) as broken:
        list(stream)
    assert broken.value.code == "BackendStreamInterrupted"


def test_an_open_api_takes_any_key_of_the_sdk(system: System) -> None:
    """An API that needs no subscription works with a placeholder key."""
    with OpenAI(base_url=f"{system.url}/open", api_key="not-needed") as client:
        assert client.chat.completions.create(model="stand-in", messages=HELLO).choices


def test_the_log_has_the_tokens_of_every_kind_of_answer(system: System, client: OpenAI) -> None:
    """What the SDK is told was used is what the operator reads."""
    names = iter(range(100))

    def logged() -> tuple[dict[str, str], Callable[[], tuple[int | None, int | None]]]:
        request_id = f"tokens-{client.base_url.path.strip('/').replace('/', '-')}-{next(names)}"

        def read() -> tuple[int | None, int | None]:
            line = system.log_of(request_id)
            return line["promptTokens"], line["completionTokens"]

        return {"x-request-id": request_id}, read

    headers, read = logged()
    chat = client.chat.completions.create(model="stand-in", messages=HELLO, extra_headers=headers).usage
    assert chat is not None
    assert read() == (chat.prompt_tokens, chat.completion_tokens)
    headers, read = logged()
    embedding = client.embeddings.create(model="stand-in", input=["one", "two"], extra_headers=headers).usage
    assert read() == (embedding.prompt_tokens, 0)
    headers, read = logged()
    response = client.responses.create(model="stand-in", input="Hello", extra_headers=headers).usage
    assert response is not None
    assert read() == (response.input_tokens, response.output_tokens)
    headers, read = logged()
    events = list(client.responses.create(model="stand-in", input="Hello", stream=True, extra_headers=headers))
    assert events
    assert read() == (response.input_tokens, response.output_tokens)
    headers, read = logged()
    options = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(
            model="stand-in", messages=HELLO, stream=True, stream_options=options, extra_headers=headers
        )
    )
    assert chunks[-1].usage is not None
    assert read() == (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens)
    headers, read = logged()
    list(client.chat.completions.create(model="stand-in", messages=HELLO, stream=True, extra_headers=headers))
    assert read() == (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens), "nor did the caller ask"
