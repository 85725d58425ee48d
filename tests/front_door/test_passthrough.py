"""Passthrough: any verb, any path, any body, and only the headers that may cross."""

import hashlib
import socket
from collections.abc import Iterator

import httpx2
import pytest

from tests.front_door.system import System
from tests.front_door.test_bad_input import exchange, head


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_verb(http: httpx2.Client, method: str) -> None:
    """The backend sees the same verb and the same body."""
    content = b"" if method in ("GET", "DELETE", "OPTIONS") else b"some bytes"
    seen = http.request(method, "/raw/echo/thing", content=content).json()
    assert (seen["method"], seen["body"]["length"], seen["body"]["sha256"]) == (
        method,
        len(content),
        hashlib.sha256(content).hexdigest(),
    )


def test_head(http: httpx2.Client) -> None:
    """HEAD has the headers of the answer and no body."""
    answer = http.head("/raw/echo/thing")
    assert (answer.status_code, answer.content) == (200, b"")


RAW_PATHS = [
    "/echo/us.amazon.nova%2Flite/converse",
    "/echo/anthropic.claude-3%3A0/invoke",
    "/echo/%C3%BC",
    "/echo/a%20b",
    "/echo/100%25",
    "/echo/a//b/",
    "/echo/plus+and(brackets)",
]


@pytest.mark.parametrize("path", RAW_PATHS)
def test_the_path_is_forwarded_as_it_came(system: System, path: str) -> None:
    """Escapes survive: the backend's raw path is the caller's."""
    answer = exchange(system, head("GET", "/raw" + path, system.keys["team"]))
    assert f'"path":"/v1{path}"' in answer.decode().replace('"path": ', '"path":')


def test_the_query_is_forwarded_without_keys(http: httpx2.Client, system: System) -> None:
    """Other parameters pass in their order and spelling; where keys may stand is cut out."""
    seen = http.get("/raw/echo?b=2&Subscription-Key=x&a=1%2B1&Code=y&c=&%63ode=z&a=3").json()
    assert seen["query"] == "b=2&a=1%2B1&c=&a=3"
    key = system.keys["team"]
    seen = http.get(f"/raw/echo?a=1&api-key={key}&x=1;subscription-key={key}&b=%67w{key[2:]}").json()
    assert seen["query"] == "a=1"


def test_a_large_upload_streams(http: httpx2.Client) -> None:
    """64 MB in pieces of unknown total, whole on the other side."""
    digest = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for number in range(1024):
            piece = bytes([number % 256]) * 65_536
            digest.update(piece)
            yield piece

    seen = http.post("/raw/echo/upload", content=pieces()).json()
    assert (seen["body"]["length"], seen["body"]["sha256"]) == (1024 * 65_536, digest.hexdigest())


def test_an_upload_with_a_length_keeps_it(http: httpx2.Client) -> None:
    """Content-Length is not turned into chunks."""
    seen = http.post("/raw/echo", content=b"x" * 100_000).json()
    headers = {name.lower(): value for name, value in seen["headers"]}
    assert headers["content-length"] == "100000"
    assert "transfer-encoding" not in headers


def test_headers_on_the_way_in(http: httpx2.Client, system: System) -> None:
    """The caller's keys, cookies and route stay here; the backend's credential and the request id go along."""
    sent = {
        "Ocp-Apim-Subscription-Key": system.keys["team"],
        "Authorization": "Bearer mine",
        "x-api-key": "k",
        "x-functions-key": "k",
        "Cookie": "session=1",
        "X-Forwarded-For": "10.1.1.1",
        "Forwarded": "for=10.1.1.1",
        "X-ARR-LOG-ID": "1",
        "x-ms-client-principal": "p",
        "x-site-deployment-id": "s",
        "disguised-host": "h",
        "client-ip": "10.1.1.1",
        "was-default-hostname": "w",
        "x-original-url": "/",
        "max-forwards": "10",
        "x-request-id": "mine-1",
        "X-Custom": "kept",
    }
    answer = http.get("/raw/echo", headers=sent)
    seen = {name.lower(): value for name, value in answer.json()["headers"]}
    allowed = {"host", "accept", "accept-encoding", "user-agent", "x-custom", "x-request-id", "authorization"}
    assert set(seen) <= allowed
    assert seen["authorization"] == "Bearer sk-secret-of-the-backend"
    assert (seen["x-custom"], seen["x-request-id"]) == ("kept", "mine-1")
    assert seen["host"] == system.model.url.split("/")[2]
    assert answer.headers["x-request-id"] == "mine-1"
    assert "sk-secret" not in "".join(answer.headers.values())


def test_headers_on_the_way_back(http: httpx2.Client, system: System) -> None:
    """Cookies and server headers stay behind; Location names the gateway."""
    import json

    origin = system.model.url
    extra = {
        "Set-Cookie": "a=b",
        "Server": "secret/1",
        "X-Powered-By": "x",
        "Location": f"{origin}/files/1",
        "X-Kept": "yes",
    }
    answer = http.get("/raw/echo", headers={"x-stand-in-headers": json.dumps(extra)})
    assert answer.headers["location"] == "/raw/files/1"
    assert answer.headers["x-kept"] == "yes"
    assert [name for name in ("set-cookie", "server", "x-powered-by") if name in answer.headers] == []


def test_redirects_are_not_followed(http: httpx2.Client, system: System) -> None:
    """A redirect goes to the caller, rewritten; the backend is not asked again."""
    before = system.model.stats()["requests"]
    answer = http.get(
        "/raw/echo", headers={"x-stand-in-redirect": f"{system.model.url}/elsewhere"}, follow_redirects=False
    )
    assert (answer.status_code, answer.headers["location"]) == (302, "/raw/elsewhere")
    assert system.model.stats()["requests"] == before + 1


def test_a_request_id_is_made_where_none_came(http: httpx2.Client) -> None:
    """And an unsafe one is replaced."""
    assert len(http.get("/raw/echo").headers["x-request-id"]) == 32
    assert (
        http.get("/raw/echo", headers={"x-request-id": "no spaces allowed"}).headers["x-request-id"]
        != "no spaces allowed"
    )


def test_an_upload_whose_caller_leaves_is_cancelled(system: System) -> None:
    """The backend is not left waiting for the rest."""
    from tests.front_door.system import wait_until

    cancelled = system.model.stats()["cancelled"]
    with socket.create_connection(("127.0.0.1", system.port), timeout=10) as connection:
        connection.sendall(
            head(
                "POST", "/raw/echo/upload", system.keys["team"], "Content-Length: 1000000", "x-request-id: left-upload"
            )
            + b"x" * 1000
        )
        wait_until(lambda: system.model.stats()["inFlight"] > 0)
    wait_until(lambda: system.model.stats()["cancelled"] > cancelled, 5)
    assert system.log_of("left-upload")["code"] in ("IncompleteBody", "CallerDisconnected")
