"""What all operations share: paths, keys, refusals; and the smallest operations."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from openai import AuthenticationError, AzureOpenAI, BadRequestError, NotFoundError, OpenAI

from local.model import ModelServer
from tests.local.model.conversation import HELLO, HELLO_BACK, chat


@pytest.mark.parametrize("suffix", ["", "/v1"])
def test_azure_client(server: ModelServer, suffix: str) -> None:
    """Azure's paths work, with the deployment as the model, and so do those without a deployment."""
    with AzureOpenAI(azure_endpoint=server.root + suffix, api_key="any", api_version="2024-10-21") as azure:
        answer = azure.chat.completions.create(model="my-deployment", messages=HELLO)
        assert (answer.model, answer.choices[0].message.content) == ("my-deployment", HELLO_BACK)
        assert len(azure.embeddings.create(model="my-deployment", input="x").data[0].embedding) == 1536
        assert azure.responses.create(model="any", input="hello").output_text == HELLO_BACK
        assert list(azure.models.list())


def test_models(client: OpenAI) -> None:
    """Models are listed, and any name but `missing` exists, slashes and all."""
    assert "stand-in" in [model.id for model in client.models.list()]
    assert client.models.retrieve("vendor/some-model:1").id == "vendor/some-model:1"
    with pytest.raises(NotFoundError):
        client.models.retrieve("missing")


def test_moderations_flag_what_is_named(client: OpenAI) -> None:
    """A text that names a category is flagged for it."""
    results = client.moderations.create(input=["flowers", "graphic violence"]).results
    assert [result.flagged for result in results] == [False, True]
    assert results[1].categories.violence


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "chat/completions", {"model": "missing", "messages": HELLO}, 404, "model_not_found"),
        ("POST", "chat/completions", {"model": "any"}, 400, "missing_required_parameter"),
        ("POST", "chat/completions", {"messages": HELLO}, 400, "missing_required_parameter"),
        ("POST", "chat/completions", {"model": "any", "messages": "hello"}, 400, "invalid_value"),
        ("POST", "chat/completions", {"model": "any", "messages": HELLO, "n": 0}, 400, "invalid_value"),
        ("POST", "chat/completions", [], 400, None),
        ("POST", "embeddings", {"model": "any", "input": []}, 400, "invalid_value"),
        ("POST", "embeddings", {"model": "any", "input": "x", "encoding_format": "hex"}, 400, "invalid_value"),
        ("POST", "responses", {"model": "any"}, 400, "missing_required_parameter"),
        ("POST", "responses", {"model": "any", "input": []}, 400, "invalid_value"),
        ("POST", "moderations", {"input": 1}, 400, "invalid_value"),
        ("POST", "audio/transcriptions", {"model": "any"}, 400, None),
        ("GET", "no/such/path", None, 404, None),
        ("GET", "chat/completions", None, 405, None),
    ],
)
def test_refusals(server: ModelServer, method: str, path: str, body: Any, status: int, code: str | None) -> None:
    """Everything refused has the shape of OpenAI's errors."""
    answer = httpx2.request(method, f"{server.url}/{path}", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000], ids=["cut", "not UTF-8", "too deep"])
def test_bodies_that_are_not_json(server: ModelServer, content: bytes) -> None:
    """A body that cannot be read is the caller's fault."""
    assert httpx2.post(f"{server.url}/embeddings", content=content).status_code == 400


def test_clients_understand_the_refusals(client: OpenAI) -> None:
    """The official client turns them into its own exceptions."""
    with pytest.raises(NotFoundError) as not_found:
        chat(client, model="missing")
    assert not_found.value.code == "model_not_found"
    with pytest.raises(BadRequestError) as refused:
        chat(client, messages=[])
    assert refused.value.param == "messages"


def test_key_is_required_when_set() -> None:
    """With a key, callers of either kind must bring it."""
    with ModelServer(key="sk-right") as server:
        with OpenAI(base_url=server.url, api_key="sk-wrong") as client, pytest.raises(AuthenticationError) as refused:
            chat(client)
        assert refused.value.code == "invalid_api_key"
        with OpenAI(base_url=server.url, api_key="sk-right") as client:
            assert chat(client).choices
        with AzureOpenAI(azure_endpoint=server.root, api_key="sk-right", api_version="2024-10-21") as azure:
            assert chat(azure).choices
