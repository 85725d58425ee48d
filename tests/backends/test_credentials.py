"""The managed identity, against a stand-in of the endpoint that App Service and Functions offer."""

import asyncio
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.backends.credentials import ManagedIdentity, _Token
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
    await asyncio.wait(identity._fetches.values())
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


class Fetches:
    """Stands where azure-identity does: counts, waits for the test, and fails when told to."""

    def __init__(self, identity: ManagedIdentity, clock: list[float]) -> None:
        self.count = 0
        self.failing = False
        self.gate = asyncio.Event()
        self.gate.set()
        self._clock = clock
        identity._credential = lambda client_id: self  # type: ignore[assignment, method-assign, return-value]

    async def get_token(self, scope: str) -> SimpleNamespace:
        self.count += 1
        await self.gate.wait()
        if self.failing:
            raise OSError("no endpoint")
        return SimpleNamespace(token=f"token-{self.count}", expires_on=self._clock[0] + 3600)


@pytest.fixture
def moment() -> list[float]:
    """The time, which moves when told to."""
    return [1000.0]


async def test_the_next_token_is_fetched_while_the_last_one_serves(moment: list[float]) -> None:
    """In its last five minutes a token goes on serving; no call waits for the new one, and it is asked for once."""
    identity = ManagedIdentity(None, now=lambda: moment[0])
    fetches = Fetches(identity, moment)
    await identity.token(SCOPE, None)
    moment[0] += 3400
    fetches.gate.clear()
    assert [await identity.token(SCOPE, None) for _ in range(10)] == ["token-1"] * 10
    fetches.gate.set()
    await asyncio.wait(identity._fetches.values())
    assert (await identity.token(SCOPE, None), fetches.count) == ("token-2", 2)


async def test_a_failure_is_remembered_for_a_moment(moment: list[float]) -> None:
    """A thousand calls without a token cost one question in five seconds, and none of them waits in a queue."""
    identity = ManagedIdentity(None, now=lambda: moment[0])
    fetches = Fetches(identity, moment)
    fetches.failing = True
    answers = await asyncio.gather(*[identity.token(SCOPE, None) for _ in range(1000)], return_exceptions=True)
    assert {type(answer) for answer in answers} == {UnavailableError}
    with pytest.raises(UnavailableError):
        await identity.token(SCOPE, None)
    assert fetches.count == 1
    moment[0] += 5
    fetches.failing = False
    assert (await identity.token(SCOPE, None), fetches.count) == ("token-2", 2)


async def test_one_who_leaves_does_not_take_the_token_along(moment: list[float]) -> None:
    """The others that wait for the same fetch get theirs."""
    identity = ManagedIdentity(None, now=lambda: moment[0])
    fetches = Fetches(identity, moment)
    fetches.gate.clear()
    calls = [asyncio.create_task(identity.token(SCOPE, None)) for _ in range(3)]
    await asyncio.sleep(0)
    calls[0].cancel()
    await asyncio.sleep(0)
    fetches.gate.set()
    assert await asyncio.gather(*calls[1:]) == ["token-1", "token-1"]
    assert fetches.count == 1


async def test_closing_gives_up_what_is_being_fetched(moment: list[float]) -> None:
    """The process does not wait for an endpoint that hangs."""
    identity = ManagedIdentity(None, now=lambda: moment[0])
    fetches = Fetches(identity, moment)
    fetches.gate.clear()
    call = asyncio.create_task(identity.token(SCOPE, None))
    await asyncio.sleep(0)
    await identity.aclose()
    with pytest.raises(asyncio.CancelledError):
        await call


def test_a_token_does_not_show_in_a_debugger_or_log() -> None:
    """Whatever prints a token prints when it expires."""
    assert repr(_Token("secret", 1.0)) == "_Token(expires=1.0)"
