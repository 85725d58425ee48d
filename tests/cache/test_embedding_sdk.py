"""The SDK speaks to the backend as the gateway does, with its credentials and connections; its import delays nobody."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.backends.client import BackendResponse
from gateway.backends.target import Target
from gateway.cache.embedder import Embedder
from gateway.catalog.backend_settings import BackendSettings
from gateway.catalog.snapshot import ResolvedBackend
from gateway.errors import ProviderError
from local.azurite import Azurite
from local.model import ModelServer
from tests.backends.exchanges import always
from tests.backends.raw_server import RawServer
from tests.cache.embeddings import (
    PATIENCE,
    SECRET,
    TEXT,
    answer,
    embedding,
    is_unit,
    reason,
    served,
)

CREDENTIALS: dict[str, tuple[dict[str, Any] | None, bytes, dict[bytes, bytes]]] = {
    "none": (None, b"/v1/embeddings", {}),
    "a header": (
        {"header": "Authorization", "value": "{{key}}"},
        b"/v1/embeddings",
        {b"authorization": SECRET.encode()},
    ),
    "Azure's header": ({"header": "api-key", "value": "{{key}}"}, b"/v1/embeddings", {b"api-key": SECRET.encode()}),
    "a query": ({"query": "key", "value": "{{key}}"}, f"/v1/embeddings?key={SECRET}".encode(), {}),
    "a managed identity": (
        {"managedIdentity": {"scope": "https://ai.example/.default"}},
        b"/v1/embeddings",
        {b"authorization": b"Bearer token for https://ai.example/.default"},
    ),
}


class Tokens:
    """A managed identity."""

    async def token(self, scope: str, client_id: str | None) -> str:
        return f"token for {scope}"

    async def aclose(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize(("credentials", "target", "headers"), CREDENTIALS.values(), ids=CREDENTIALS)
async def test_the_credential_is_the_backends(
    credentials: dict[str, Any] | None,
    target: bytes,
    headers: dict[bytes, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the SDK finds in its environment, or would tell of this machine, does not go out."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-of-somebody-else")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/elsewhere")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-custom: 1\nauthorization: Bearer custom")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with served(always(answer()), credentials=credentials, tokens=Tokens()) as (embedder, server):
        await embedder.embed(TEXT, PATIENCE)
        request = server.requests[0]
    assert request.target == target
    sent = dict(line.lower().split(b": ", 1) for line in request.head.split(b"\r\n")[1:] if line)
    assert set(sent) - set(headers) == {
        b"host", b"accept", b"accept-encoding", b"content-type", b"content-length", b"user-agent"
    }  # fmt: skip
    assert {name: request.header(name) for name in headers} == headers
    assert sent[b"host"] == server.url.removeprefix("http://").encode()
    assert sent[b"accept-encoding"] == b"identity"


async def test_azure_openai_with_a_deployment() -> None:
    """Its path needs the version of the API; the key is in its own header."""
    with ModelServer(key=SECRET) as model:
        url = f"{model.root}/openai/deployments/small"
        async with embedding(url, 16, credentials={"header": "api-key", "value": "{{key}}"}) as embedder:
            assert is_unit((await embedder.embed(TEXT, PATIENCE)).vector)
    async with served(always(answer()), path="/openai/deployments/small") as (embedder, server):
        await embedder.embed(TEXT, PATIENCE)
        assert server.requests[0].target == b"/openai/deployments/small/embeddings?api-version=2024-10-21"


async def test_connections_are_kept() -> None:
    """They are the gateway's own."""
    async with served(always(answer())) as (embedder, server):
        for number in range(3):
            await embedder.embed(f"text {number}", PATIENCE)
        assert (len(server.requests), server.connections) == (3, 1)


class Unreachable:
    """A client that keeps the paths it was to send to."""

    def __init__(self) -> None:
        self.paths: list[bytes] = []

    async def send(self, target: Target, method: str, path: bytes, *rest: Any) -> BackendResponse:
        """For Sender."""
        self.paths.append(path)
        raise ProviderError("BackendConnectionFailure")


ADDRESSES = {
    "https://res.openai.azure.com": b"/openai/v1/embeddings",
    "https://res.openai.azure.com/": b"/openai/v1/embeddings",
    "https://res.openai.azure.com/openai": b"/openai/v1/embeddings",
    "https://res.openai.azure.com/openai/v1/": b"/openai/v1/embeddings",
    "https://res.services.ai.azure.com:443/openai/v1": b"/openai/v1/embeddings",
    "https://res.openai.azure.com/openai/deployments/d": b"/openai/deployments/d/embeddings?api-version=2024-10-21",
    "https://model.example": b"/embeddings",
    "https://model.example/v1beta/openai": b"/v1beta/openai/embeddings",
}


@pytest.mark.parametrize(("url", "path"), ADDRESSES.items())
async def test_where_requests_go(url: str, path: bytes) -> None:
    """Azure OpenAI may be given by its host or as an API has it; every other URL is taken as it is."""
    sender = Unreachable()
    backend = ResolvedBackend("vectors", BackendSettings.model_validate({"url": url}))
    embedder = Embedder(sender, backend, "small", None)
    assert await embedder.ready()
    assert await reason(embedder) == "embeddings-unavailable"
    assert sender.paths == [path]
    await embedder.aclose()


async def test_nobody_waits_for_the_import() -> None:
    """It takes most of a second the first time; meanwhile there is a reason."""
    with RawServer(always(answer())) as server:
        async with embedding(server.url, waits=False) as embedder:
            started = time.monotonic()
            assert [await reason(embedder) for _ in range(3)] == ["embeddings-loading"] * 3
            assert time.monotonic() - started < 0.1
            assert server.requests == []
            assert await embedder.ready()
            assert (await embedder.embed(TEXT, PATIENCE)).tokens == 7


async def test_an_sdk_that_is_not_there(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Calls go on without a cache by meaning."""
    monkeypatch.setitem(sys.modules, "openai", None)
    async with embedding("http://127.0.0.1:1", waits=False) as embedder:
        assert await reason(embedder) == "embeddings-loading"
        assert not await embedder.ready()
        assert await reason(embedder) == "embeddings-unavailable"
    assert [record.message for record in caplog.records] == [
        "the openai SDK cannot be used for embeddings: ModuleNotFoundError"
    ]


def test_importing_the_app_imports_neither_the_sdk_nor_numpy() -> None:
    """Nor does importing what is here: a cold start would take twice as long."""
    code = (
        "import sys, function_app, gateway.cache.embedder, gateway.cache.flights\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('numpy', 'openai', 'redis', 'usearch')])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={"GATEWAY_TABLES": Azurite().connection_string},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout.strip() == "[]", ran.stderr
