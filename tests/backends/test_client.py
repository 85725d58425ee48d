"""Every failure of a transport has a name of ours."""

import inspect

import httpx2
import pytest

from gateway.backends.client import BackendClient
from gateway.backends.target import Target
from gateway.backends.transport import HTTP11Transport
from gateway.catalog.backend_settings import BackendSettings
from gateway.catalog.snapshot import ResolvedBackend
from gateway.errors import GatewayError
from tests.backends.raw_server import Peer, RawServer


class NoTokens:
    """A token source nobody asks."""

    async def token(self, scope: str, client_id: str | None) -> str:
        raise AssertionError("not asked for")

    async def aclose(self) -> None:
        """Nothing to close."""


class Failing(httpx2.AsyncBaseTransport):
    """A transport that raises what it is given."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        raise self.error


TRANSPORT_ERRORS = [
    error
    for _, error in inspect.getmembers(httpx2, inspect.isclass)
    if issubclass(error, httpx2.TransportError) and error is not httpx2.TransportError
]


def target(**settings: object) -> Target:
    """A backend that is never reached, unless it is given another URL."""
    validated = BackendSettings.model_validate({"url": "http://127.0.0.1:1/v1"} | settings)
    return Target.of(ResolvedBackend("b", validated, "sk-secret" if validated.credentials else None))


@pytest.mark.parametrize("error", TRANSPORT_ERRORS, ids=lambda error: error.__name__)
async def test_no_transport_error_is_unmapped(error: type[httpx2.TransportError]) -> None:
    """httpx2's whole tree, as it is today: each becomes an error of the closed list, with a status of its own kind."""
    client = BackendClient(NoTokens(), 10)
    client._transports[target().transport_key] = Failing(error("10.0.0.5 secret detail"))
    with pytest.raises(GatewayError) as raised:
        await client.send(target(), "GET", b"/v1/models", [], None, None)
    assert raised.value.status in (400, 502, 503, 504)
    assert "10.0.0.5" not in raised.value.message


class OneToken(NoTokens):
    """A managed identity with a token for one scope."""

    async def token(self, scope: str, client_id: str | None) -> str:
        return f"token for {scope} of {client_id}"


class Recording(httpx2.AsyncBaseTransport):
    """A transport that answers 204 and keeps the request."""

    def __init__(self) -> None:
        self.requests: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return httpx2.Response(204)


async def test_a_managed_identity_goes_out_as_a_bearer_token() -> None:
    """The token of the backend's scope, asked for with the backend's client id."""
    backend = target(credentials={"managedIdentity": {"scope": "https://x/.default", "clientId": "c"}})
    client, recording = BackendClient(OneToken(), 10), Recording()
    client._transports[backend.transport_key] = recording
    await client.send(backend, "GET", b"/v1/models", [], None, None)
    assert recording.requests[0].headers["authorization"] == "Bearer token for https://x/.default of c"


async def test_backends_with_other_needs_get_httpx2s_own_transport() -> None:
    """HTTP/2 and proxies are httpx2's; the rest is ours, shared by like backends."""
    client = BackendClient(NoTokens(), 10)
    ours = client._transport(target().transport_key)
    assert isinstance(ours, HTTP11Transport)
    assert client._transport(target(url="http://elsewhere").transport_key) is ours
    for needs in ({"url": "https://h", "http2": True}, {"proxy": "http://p:1"}):
        assert isinstance(client._transport(target(**needs).transport_key), httpx2.AsyncHTTPTransport)
    await client.aclose()


PATHS = {
    "below": ("http://h/v1", "chat/completions", b"", b"/v1/chat/completions"),
    "no path of its own": ("http://h", "chat/completions", b"", b"/chat/completions"),
    "trailing slash": ("http://h/v1/", "models", b"", b"/v1/models"),
    "query": ("http://h/v1", "models", b"a=1&b=%2F", b"/v1/models?a=1&b=%2F"),
    "nothing below": ("http://h/v1", "", b"", b"/v1"),
    "nothing at all": ("http://h", "", b"", b"/"),
    "escapes stay": ("http://h/v1", "a%2Fb%3A0", b"", b"/v1/a%2Fb%3A0"),
}


@pytest.mark.parametrize(("url", "below", "query", "expected"), PATHS.values(), ids=PATHS.keys())
def test_request_targets(url: str, below: str, query: bytes, expected: bytes) -> None:
    """The backend's path, then the caller's, in its raw form."""
    assert target(url=url).path(below, query) == expected


def test_query_credentials_are_added_and_escaped() -> None:
    """A key that goes into the query."""
    resolved = ResolvedBackend(
        "b",
        BackendSettings.model_validate({"url": "http://h", "credentials": {"query": "key", "value": "{{key}}"}}),
        "a&b=c",
    )
    assert Target.of(resolved).path("models", b"a=1") == b"/models?a=1&key=a%26b%3Dc"
    assert "a&b=c" not in repr(resolved)


ENVIRONMENTS: dict[str, tuple[dict[str, str], str, str | None]] = {
    "none": ({}, "https://models.example/v1", None),
    "https": ({"HTTPS_PROXY": "http://p:1", "HTTP_PROXY": "http://q:1"}, "https://models.example/v1", "http://p:1"),
    "http": ({"HTTPS_PROXY": "http://p:1", "http_proxy": "http://q:1"}, "http://models.example/v1", "http://q:1"),
    "all": ({"ALL_PROXY": "p:1"}, "http://models.example/v1", "http://p:1"),
    "excepted": ({"ALL_PROXY": "p:1", "NO_PROXY": "other, .example"}, "http://models.example/v1", None),
    "excepted with its port": ({"ALL_PROXY": "p:1", "NO_PROXY": "h:8080"}, "http://h:8080/v1", None),
    "not excepted": ({"ALL_PROXY": "p:1", "NO_PROXY": "other"}, "http://models.example/v1", "http://p:1"),
}


@pytest.mark.parametrize(("environment", "url", "proxy"), ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
def test_the_environments_proxies(
    environment: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken when a backend asks for them, and not otherwise; one that the backend names itself comes first."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert target(url=url, trustEnvironment=True).transport_key.proxy == proxy
    assert target(url=url).transport_key.proxy is None
    assert target(url=url, trustEnvironment=True, proxy="http://own:1").transport_key.proxy == "http://own:1"


async def test_a_call_goes_through_the_environments_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is asked for the whole URL of a backend that nobody else could reach."""

    async def proxy(peer: Peer) -> None:
        request = await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(request.target), request.target))

    with RawServer(proxy) as server:
        monkeypatch.setenv("HTTP_PROXY", server.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        client = BackendClient(NoTokens(), 10)
        backend = target(url="http://models.invalid/v1", trustEnvironment=True)
        response = await client.send(backend, "GET", b"/v1/models", [], None, None)
        body = b"".join([piece async for piece in response])
        await client.aclose()
    assert body == b"http://models.invalid/v1/models"


def test_no_secret_shows_in_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever prints a target prints neither its credential nor the password of its proxy."""
    monkeypatch.setenv("HTTP_PROXY", "http://user:password@p:1")
    monkeypatch.setenv("NO_PROXY", "")
    shown = "".join(
        repr(target(credentials=given, trustEnvironment=True))
        for given in ({"header": "x-key", "value": "{{k}}"}, {"query": "key", "value": "{{k}}"})
    )
    assert "x-key" in shown
    assert "sk-secret" not in shown
    assert "password" not in shown


async def test_a_full_pool_is_no_fault_of_the_backend() -> None:
    """The connections are ours to keep: 503 with the time to wait, and a code that names the setting's matter."""
    client = BackendClient(NoTokens(), 10)
    client._transports[target().transport_key] = Failing(httpx2.PoolTimeout("full"))
    with pytest.raises(GatewayError) as raised:
        await client.send(target(), "GET", b"/v1/models", [], None, None)
    assert (raised.value.status, raised.value.code) == (503, "BackendConnectionsExhausted")
    assert raised.value.headers["retry-after"] == "1"
