"""Every failure of a transport has a name of ours."""

import inspect

import httpx2
import pytest

from gateway.backends.client import BackendClient
from gateway.backends.target import Target
from gateway.backends.transport import HTTP11Transport
from gateway.catalog.models import BackendSettings
from gateway.catalog.snapshot import ResolvedBackend
from gateway.errors import GatewayError


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
    """A backend that is never reached."""
    return Target.of(ResolvedBackend("b", BackendSettings.model_validate({"url": "http://127.0.0.1:1/v1"} | settings)))


@pytest.mark.parametrize("error", TRANSPORT_ERRORS, ids=lambda error: error.__name__)
async def test_no_transport_error_is_unmapped(error: type[httpx2.TransportError]) -> None:
    """httpx2's whole tree, as it is today: each becomes an error of the closed list, with a status of its own kind."""
    client = BackendClient(NoTokens(), 10)
    client._transports[target().transport_key] = Failing(error("10.0.0.5 secret detail"))
    with pytest.raises(GatewayError) as raised:
        await client.send(target(), "GET", b"/v1/models", [], None, None)
    assert raised.value.status in (400, 502, 504)
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
    """HTTP/2, proxies and the environment's proxies are httpx2's; the rest is ours, shared by like backends."""
    client = BackendClient(NoTokens(), 10)
    ours = client._transport(target().transport_key)
    assert isinstance(ours, HTTP11Transport)
    assert client._transport(target(url="http://elsewhere").transport_key) is ours
    for needs in ({"url": "https://h", "http2": True}, {"proxy": "http://p:1"}, {"trustEnvironment": True}):
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
