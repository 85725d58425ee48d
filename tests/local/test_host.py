"""The host as a program and as a router: the real process, the real worker, the sample function app."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import httpx2
import pytest

from .conftest import REPOSITORY, RunningHost, raw, write_app

# Which function is called


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/order/exact", "broad"),
        ("/ORDER/exact", "broad"),
        ("/plain", "from a thread"),
    ],
)
def test_first_function_by_name_answers(host: RunningHost, path: str, expected: str) -> None:
    """Of two functions whose routes match, the one whose name sorts first is called; case does not matter."""
    assert host.get(path).text == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/items/7/lid", {"item": "7", "part": "lid"}),
        ("/items/7", {"item": "7"}),
        ("/items/7/a%20b%2Fc", {"item": "7", "part": "a b%2Fc"}),
    ],
)
def test_route_parameters_reach_the_function(host: RunningHost, path: str, expected: dict[str, str]) -> None:
    """Parameters come decoded, an encoded slash stays encoded, and an absent optional one is left out."""
    assert host.get(path).json() == expected


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_any_method_when_none_is_named(host: RunningHost, method: str) -> None:
    """A function that names no methods takes every one."""
    assert httpx2.request(method, host.url + "/elsewhere").json()["method"] == method


def test_method_of_another_function_falls_through(host: RunningHost) -> None:
    """A function that takes POST only does not stop a GET from reaching the next that matches."""
    assert httpx2.post(host.url + "/posted").status_code == 204
    assert host.get("/posted").json()["path"] == "posted"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/", "/favicon.ico"])
def test_web_server_answers_nothing_by_itself(host: RunningHost, path: str) -> None:
    """Every path goes to a function, those that web frameworks like to serve included."""
    assert host.get(path).json()["rawPath"] == path


@pytest.mark.parametrize(
    "path", ["/admin", "/admin/host/status", "/ADMIN/x", "/runtime/webhooks", "/%61dmin/x", "//admin", "/a/../admin/x"]
)
def test_reserved_paths_never_reach_the_app(host: RunningHost, path: str) -> None:
    """The host keeps /admin and /runtime, however they are written."""
    response = raw(host, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert response.startswith(b"HTTP/1.1 404 ")
    assert response.endswith(b"\r\n\r\n")


def test_path_like_a_reserved_one_reaches_the_app(host: RunningHost) -> None:
    """Only the whole first segment counts."""
    assert host.get("/administration").json()["path"] == "administration"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/guarded", {}, 401),
        ("/guarded", {"x-functions-key": "wrong"}, 401),
        ("/guarded?code=wrong", {}, 401),
        ("/guarded", {"x-functions-key": "open-sesame"}, 200),
        ("/guarded?a=1&code=open-sesame", {}, 200),
    ],
)
def test_function_level_needs_a_key(host: RunningHost, path: str, headers: dict[str, str], status: int) -> None:
    """A function of level function is called only with one of the host's keys."""
    assert host.get(path, headers=headers).status_code == status


# What the function sees


def test_raw_path_and_query_arrive_untouched(host: RunningHost) -> None:
    """Escapes in the path and the query string are the caller's own when the function reads them."""
    seen = host.get("/a%2Fb%3Ac?q=%20&q=2").json()
    assert seen["rawPath"] == "/a%2Fb%3Ac"
    assert seen["query"] == "q=%20&q=2"


def test_headers_of_one_connection_stay_on_it(host: RunningHost) -> None:
    """Connection's own headers, those it lists, and a caller's invocation id do not reach the function."""
    headers = {"Connection": "keep-alive, X-Hop", "X-Hop": "1", "TE": "trailers", "X-Kept": "yes"}
    seen = host.get("/see", headers=headers | {"X-MS-Invocation-Id": "forged"}).json()["headers"]
    names = [name for name, _ in seen]
    assert names.count("x-ms-invocation-id") == 1
    assert dict(seen)["x-ms-invocation-id"] != "forged"
    assert dict(seen)["x-kept"] == "yes"
    assert not {"x-hop", "te", "connection"} & set(names)


def test_app_directory_is_the_workers(host: RunningHost) -> None:
    """The app runs in its own directory, which comes first where modules are looked for; h11 is never loaded."""
    found = host.diagnostics()
    assert found["directory"] == found["path"] == str(host.app)
    assert found["h11"] is False


def run_host(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local.host", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=30, check=False)


def test_taken_port_is_said(host: RunningHost) -> None:
    """Exit code 3 and one sentence when something else listens on the port."""
    result = run_host("--port", str(host.port), "--app", str(host.app))
    assert result.returncode == 3
    assert str(host.port) in result.stderr


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise RuntimeError('no luck today')", "no luck today"),
        ("import azure.functions as func\napp = func.FunctionApp()", "no web extension"),
    ],
)
def test_app_that_cannot_start_is_said(tmp_path: Any, source: str, message: str) -> None:
    """Exit code 1 and the reason when the app does not load or cannot be served."""
    result = run_host("--port", "0", "--app", str(write_app(tmp_path / "app", source)))
    assert result.returncode == 1
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("content", [None, "{", "[]", '{"Values": 5}', '{"Values": {"PORT": 7}}'])
def test_settings_that_cannot_be_read_are_said(tmp_path: Any, content: str | None) -> None:
    """Exit code 1 and the file's name, before anything is started."""
    file = tmp_path / "local.settings.json"
    if content is not None:
        file.write_text(content)
    result = run_host("--port", "0", "--settings", str(file))
    assert (result.returncode, result.stdout) == (1, "")
    assert f"the Values in {file} cannot be read" in result.stderr


def test_help_and_wrong_usage() -> None:
    """--help explains the options; an unknown one is exit code 2."""
    assert "--function-key" in run_host("--help").stdout
    assert run_host("--nonsense").returncode == 2
