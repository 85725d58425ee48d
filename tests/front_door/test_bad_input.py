"""Bad input gets a clear 4xx in the one error shape, and never reaches the backend."""

import contextlib
import json
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx2
import pytest

from tests.front_door.system import System, wait_until

CHAT = "/openai/chat/completions"
BODY = {"model": "stand-in", "messages": [{"role": "user", "content": "Hello"}]}


def assert_error(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The one shape, with OpenAI's and API Management's fields saying the same."""
    document: dict[str, Any] = response.json()
    assert (response.status_code, document["error"]["code"]) == (status, code)
    assert set(document) == {"error", "statusCode", "message"}
    assert set(document["error"]) == {"message", "type", "param", "code"}
    assert document["statusCode"] == status
    assert document["message"] == document["error"]["message"]
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    assert "Traceback" not in response.text
    assert "127.0.0.1" not in response.text
    return document


BODIES: dict[str, tuple[dict[str, Any], int, str]] = {
    "not JSON": ({"content": b"hello"}, 400, "InvalidJson"),
    "truncated JSON": ({"content": b'{"model": "stand-in", "messages": ['}, 400, "InvalidJson"),
    "not UTF-8": ({"content": b'{"model": "\xff\xfe"}'}, 400, "InvalidJson"),
    "nested too deep": ({"content": b"[" * 100_000}, 400, "InvalidJson"),
    "an absurd number": ({"content": b'{"n": ' + b"9" * 10_000 + b"}"}, 400, "InvalidJson"),
    "a list": ({"content": b"[]"}, 400, "InvalidBody"),
    "a string": ({"content": b'"hello"'}, 400, "InvalidBody"),
    "null": ({"content": b"null"}, 400, "InvalidBody"),
    "empty": ({"content": b""}, 400, "InvalidJson"),
    "a form": (
        {"content": b"a=b", "headers": {"content-type": "application/x-www-form-urlencoded"}},
        415,
        "UnsupportedMediaType",
    ),
    "text": ({"content": b"{}", "headers": {"content-type": "text/plain"}}, 415, "UnsupportedMediaType"),
    "21 MiB": ({"content": b" " * (21 * 1024 * 1024)}, 413, "RequestTooLarge"),
}


@pytest.mark.parametrize(("sent", "status", "code"), BODIES.values(), ids=BODIES.keys())
def test_bodies(http: httpx2.Client, system: System, sent: dict[str, Any], status: int, code: str) -> None:
    """Each wrong body has its own code, and the backend never sees it."""
    before = system.model.stats()["requests"]
    headers = {"content-type": "application/json"} | sent.get("headers", {})
    assert_error(http.post(CHAT, content=sent["content"], headers=headers), status, code)
    assert system.model.stats()["requests"] == before


def test_a_chunked_body_is_cut_at_the_limit(system: System) -> None:
    """Without a Content-Length the refusal comes when the limit is passed; the gateway reads no further."""
    fields = ("Content-Type: application/json", "Transfer-Encoding: chunked", "x-request-id: endless")
    with socket.create_connection(("127.0.0.1", system.port), timeout=10) as connection:
        connection.sendall(head("POST", CHAT, system.keys["team"], *fields))
        with contextlib.suppress(OSError):
            for _ in range(60):
                connection.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")
    line = system.log_of("endless")
    assert line["code"] == "RequestTooLarge"
    assert 20 * 2**20 < line["bytesReceived"] < 22 * 2**20


def test_an_announced_body_too_large_is_refused_unread(system: System) -> None:
    """413 comes although not one byte of the body was sent."""
    answer = exchange(
        system, head("POST", CHAT, system.keys["team"], "Content-Type: application/json", "Content-Length: 22020096")
    )
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"RequestTooLarge"' in answer


KEYS: dict[str, tuple[dict[str, str], str]] = {
    "no key": ({}, "SubscriptionKeyNotFound"),
    "wrong key": ({"api-key": "gw_wrong"}, "SubscriptionKeyInvalid"),
    "wrong key, well formed": ({"api-key": "gw_" + "0" * 49}, "SubscriptionKeyInvalid"),
}


@pytest.mark.parametrize(("headers", "code"), KEYS.values(), ids=KEYS.keys())
def test_keys(system: System, headers: dict[str, str], code: str) -> None:
    """401 with API Management's code; its messages are checked word for word in test_admit.py."""
    assert_error(httpx2.post(system.url + CHAT, json=BODY, headers=headers), 401, code)


PATHS = {
    "unknown API": ("GET", "/nowhere/models", 404, "OperationNotFound"),
    "unknown operation": ("POST", "/openai/fine_tuning/jobs", 404, "OperationNotFound"),
    "half an API's name": ("GET", "/opena/models", 404, "OperationNotFound"),
    "method not allowed": ("GET", CHAT, 405, "MethodNotAllowed"),
    "method not allowed on the gateway's own": ("POST", "/gateway/health", 405, "MethodNotAllowed"),
    "unknown below gateway": ("GET", "/gateway/nothing", 404, "OperationNotFound"),
    "docs": ("GET", "/docs", 404, "OperationNotFound"),
    "redoc": ("GET", "/redoc", 404, "OperationNotFound"),
    "openapi.json": ("GET", "/openapi.json", 404, "OperationNotFound"),
    "dots": ("GET", "/raw/%2e%2e/secret", 400, "InvalidPath"),
    "backslash": ("GET", "/raw/a%5cb", 400, "InvalidPath"),
    "control character": ("GET", "/raw/a%0ab", 400, "InvalidPath"),
    "dots behind an encoded slash": ("GET", "/raw/x%2f..%2f..%2fsecret", 400, "InvalidPath"),
}


@pytest.mark.parametrize(("method", "path", "status", "code"), PATHS.values(), ids=PATHS.keys())
def test_paths(system: System, method: str, path: str, status: int, code: str) -> None:
    """Paths nobody serves, and paths that are not what they seem. Sent raw, so that no client tidies them."""
    answer = exchange(system, head(method, path, system.keys["everything"], "Content-Length: 0"))
    assert int(answer.split(b" ")[1]) == status
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == code


RESERVED = ["/admin", "/admin/host/status", "/ADMIN/x", "/runtime/webhooks", "/%61dmin/host/keys"]


@pytest.mark.parametrize("path", RESERVED)
def test_the_hosts_own_paths_never_reach_the_gateway(system: System, path: str) -> None:
    """404 from the host, without the gateway's error shape or request id."""
    answer = exchange(system, head("GET", path, system.keys["everything"]))
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"x-request-id" not in answer


BROKEN: dict[str, bytes] = {
    "two Content-Lengths": b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length and chunked": b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a header with a line feed": b"X-A: one\n two\r\nContent-Length: 2\r\n\r\n{}",
    "a header with a carriage return": b"X-A: one\rX-B: two\r\nContent-Length: 2\r\n\r\n{}",
    "a header with a null": b"X-A: one\x00two\r\nContent-Length: 2\r\n\r\n{}",
    "a negative length": b"Content-Length: -2\r\n\r\n{}",
    "a header without a name": b": value\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("rest", BROKEN.values(), ids=BROKEN.keys())
def test_broken_http_is_refused(system: System, rest: bytes) -> None:
    """400, the connection closed, and nothing reaches the backend."""
    before = system.model.stats()["requests"]
    key = system.keys["team"].encode()
    sent = (
        b"POST "
        + CHAT.encode()
        + b" HTTP/1.1\r\nHost: gateway\r\napi-key: "
        + key
        + b"\r\nContent-Type: application/json\r\n"
    )
    answer = exchange(system, sent + rest)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert system.model.stats()["requests"] == before


def test_a_body_that_ends_early(system: System) -> None:
    """The caller announces more than it sends and leaves: nothing reaches the backend, and the log says so."""
    before = system.model.stats()["requests"]
    with socket.create_connection(("127.0.0.1", system.port)) as connection:
        fields = ("Content-Type: application/json", "Content-Length: 500", "x-request-id: ends-early")
        connection.sendall(head("POST", CHAT, system.keys["team"], *fields) + b'{"model":')
    line = system.log_of("ends-early")
    assert line["code"] in ("IncompleteBody", "CallerDisconnected")
    assert system.model.stats()["requests"] == before


def test_subscription_states_over_the_wire(system: System) -> None:
    """Suspend, and the key dies; activate, and it lives again: within the time the keys are remembered."""
    headers = {"api-key": make_subscription(system, "wire", "/apis/openai")}

    def has_status(expected: int) -> bool:
        return httpx2.post(system.url + CHAT, json=BODY, headers=headers).status_code == expected

    assert has_status(200)
    assert httpx2.post(system.url + "/raw/echo", json=BODY, headers=headers).status_code == 401, "out of scope"
    for state, expected in (("suspended", 401), ("active", 200)):
        set_state(system, "wire", state)
        wait_until(partial(has_status, expected))


def set_state(system: System, name: str, state: str) -> None:
    """As `subscriptions suspend` and `activate` do it."""

    async def work(service: Any) -> None:
        await service.set_state(name, state)

    system.manage(work)


def make_subscription(system: System, name: str, scope: str) -> str:
    """A new subscription's primary key."""

    async def work(service: Any) -> Any:
        return await service.create_subscription(name, scope, None, None, None)

    return str(system.manage(work).primary)


def head(method: str, path: str, key: str, *fields: str) -> bytes:
    """A request's head, exactly as written."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway", f"api-key: {key}", "Connection: close", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def exchange(system: System, sent: bytes) -> bytes:
    """Send bytes, read until the connection closes."""
    with socket.create_connection(("127.0.0.1", system.port), timeout=10) as connection:
        connection.sendall(sent)
        received = b""
        while piece := connection.recv(65_536):
            received += piece
    return received


def test_health_says_little(system: System) -> None:
    """200 without a key, and no more than a stranger may know."""
    answer = httpx2.get(f"{system.url}/gateway/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_the_request_log_keeps_secrets(http: httpx2.Client, system: System) -> None:
    """One line a request with who, what and how long; no key, no prompt, no answer anywhere in the log."""
    body = BODY | {"messages": [{"role": "user", "content": "a very private question"}]}
    answer = http.post(CHAT, json=body, headers={"x-request-id": "private-1"}).json()
    line = system.log_of("private-1")
    expected = {
        "api": "openai",
        "operation": "chat/completions",
        "subscription": "team",
        "product": "starter",
        "model": "stand-in",
        "status": 200,
        "code": None,
        "stream": False,
    }
    assert {name: line[name] for name in expected} == expected
    assert line["bytesSent"] > 0
    used = answer["usage"]
    assert (line["promptTokens"], line["completionTokens"]) == (used["prompt_tokens"], used["completion_tokens"])
    assert 0 <= line["gatewayMilliseconds"] <= line["milliseconds"]
    written = "\n".join(system.lines)
    secrets = [
        system.keys["team"],
        "private question",
        answer["choices"][0]["message"]["content"],
        "sk-secret-of-the-backend",
    ]
    assert [text for text in secrets if text in written] == []


Check = Callable[[], bool]


def test_a_changed_catalog_is_in_force_within_seconds(system: System, http: httpx2.Client) -> None:
    """A new API serves without a restart."""
    url = system.model.url
    system.apply(f'{{kind: Api, name: late, path: late, type: openai, backend: {{url: "{url}"}}, products: [starter]}}')
    wait_until(lambda: http.get("/late/models").status_code == 200)
