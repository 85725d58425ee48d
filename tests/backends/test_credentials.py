"""The managed identity, against a stand-in of the endpoint that App Service and Functions offer."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.backends.credentials import ManagedIdentity
from gateway.errors import UnavailableError

SCOPE = "https://cognitiveservices.azure.com/.default"


class IdentityEndpoint(ThreadingHTTPServer):
    """IDENTITY_ENDPOINT: answers `?resource=…&api-version=2019-08-01&client_id=…` to who knows X-IDENTITY-HEADER."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, str]] = []
        self.lifetime = 3600
        self.failing = False
        Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/msi/token"


class _Handler(BaseHTTPRequestHandler):
    server: IdentityEndpoint

    def do_GET(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        self.server.asked.append(query)
        if self.headers.get("X-IDENTITY-HEADER") != "the-header" or self.server.failing:
            self._answer(400, {"error": "invalid_request"})
            return
        number = len(self.server.asked)
        expires = str(int(time.time()) + self.server.lifetime)
        self._answer(
            200,
            {
                "access_token": f"token-{number}",
                "expires_on": expires,
                "resource": query["resource"],
                "token_type": "Bearer",
            },
        )

    def _answer(self, status: int, document: dict[str, str]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityEndpoint]:
    """The endpoint, announced in the environment as the platform does."""
    server = IdentityEndpoint()
    monkeypatch.setenv("IDENTITY_ENDPOINT", server.url)
    monkeypatch.setenv("IDENTITY_HEADER", "the-header")
    yield server
    server.shutdown()
    server.server_close()


async def test_one_token_serves_many_calls(endpoint: IdentityEndpoint) -> None:
    """Asked once, with the resource of the scope and the app's client id."""
    identity = ManagedIdentity("client-1")
    assert [await identity.token(SCOPE, None) for _ in range(3)] == ["token-1"] * 3
    await identity.aclose()
    assert len(endpoint.asked) == 1
    assert endpoint.asked[0]["resource"] == "https://cognitiveservices.azure.com"
    assert endpoint.asked[0]["client_id"] == "client-1"


async def test_a_backends_own_client_id_counts(endpoint: IdentityEndpoint) -> None:
    """A backend may use another identity than the app's default."""
    identity = ManagedIdentity("client-1")
    await identity.token(SCOPE, "client-2")
    await identity.aclose()
    assert endpoint.asked[0]["client_id"] == "client-2"


async def test_a_failing_endpoint_serves_the_old_token_while_it_lasts(endpoint: IdentityEndpoint) -> None:
    """Renewal begins before the end, so a short failure is not felt; after the end it is, as 502."""
    moment = [time.time()]
    identity = ManagedIdentity(None, now=lambda: moment[0])
    assert await identity.token(SCOPE, None) == "token-1"
    endpoint.failing = True
    # azure-identity remembers tokens too; without its client, the endpoint must be asked.
    await identity.aclose()
    moment[0] += 3400
    assert await identity.token(SCOPE, None) == "token-1"
    assert len(endpoint.asked) > 1
    moment[0] += 201
    with pytest.raises(UnavailableError):
        await identity.token(SCOPE, None)
    await identity.aclose()


async def test_no_identity_is_a_fault_of_the_gateway(endpoint: IdentityEndpoint) -> None:
    """502 BackendCredentialUnavailable, and no detail of the endpoint."""
    endpoint.failing = True
    identity = ManagedIdentity(None)
    with pytest.raises(UnavailableError) as raised:
        await identity.token(SCOPE, None)
    await identity.aclose()
    assert (raised.value.status, raised.value.code) == (502, "BackendCredentialUnavailable")
    assert "127.0.0.1" not in raised.value.message
