"""What happens when a function fails, a caller leaves, or a process ends."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from .conftest import (
    SAMPLE_APP,
    RunningHost,
    connected,
    is_alive,
    launch,
    raw,
    read_to_end,
    read_until,
    wait_until,
    write_app,
)

Start = Callable[..., RunningHost]


def test_function_that_raises_says_nothing(host: RunningHost) -> None:
    """The caller gets a bare 500; the traceback is in the host's log."""
    response = host.get("/broken")
    assert response.status_code == 500
    assert response.content == b""
    wait_until(lambda: "the secret of the function" in host.log.read_text())


def test_function_without_an_answer_is_a_500(host: RunningHost) -> None:
    """A function that returns nothing does not leave its caller waiting."""
    assert host.get("/broken/none").status_code == 500


def test_broken_stream_is_seen_to_be_broken(host: RunningHost) -> None:
    """When a function fails in mid-answer the connection ends without the final chunk."""
    answer = raw(host, b"GET /broken/stream HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"begun" in answer
    assert b"0\r\n\r\n" not in answer
    assert b"secret" not in answer


@pytest.mark.parametrize("how", ["close", "reset"])
def test_callers_leaving_is_passed_on(host: RunningHost, how: str) -> None:
    """The function learns at once that its caller has gone."""
    with connected(host) as connection:
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        connection.sendall(f"GET /hang/{how} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        wait_until(lambda: host.diagnostics()["references"] == 2)
    wait_until(lambda: how in host.diagnostics()["left"], seconds=2)


def test_nothing_stays_of_a_call(host: RunningHost) -> None:
    """After 2,000 calls of all kinds the worker's coordinator knows of the asking one only."""
    with httpx2.Client(base_url=host.url) as client:
        for number in range(2000):
            client.get(["/plain", "/broken", "/items/1", "/nothing"][number % 4])
    raw(host, b"GET /broken/stream HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: host.diagnostics()["references"] == 1)


def test_web_server_refuses_what_the_host_did_not_send(host: RunningHost) -> None:
    """A request without an invocation gets a plain 404 at once."""
    response = httpx2.get(f"http://127.0.0.1:{host.diagnostics()['port']}/plain", timeout=5)
    assert (response.status_code, response.content) == (404, b"")


# The processes


def wait_for(host: RunningHost, file: str) -> threading.Thread:
    """Starts a call that ends when the file exists; returns when the function is in it."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(host.get(f"/until/{file}", timeout=30)))
    thread.answers = answers  # type: ignore[attr-defined]
    thread.start()
    wait_until((host.app / f"{file}.waiting").exists)
    return thread


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_lets_calls_finish_and_leaves_nothing(start_host: Start, number: signal.Signals) -> None:
    """A call in flight is answered, new ones are refused, the app's lifespan ends, and no process stays."""
    host = start_host()
    assert (host.app / "started").exists()
    call = wait_for(host, "finish")
    host.process.send_signal(number)
    wait_until(lambda: not accepts(host.port))
    (host.app / "finish").touch()
    call.join()
    assert call.answers[0].text == "done"  # type: ignore[attr-defined]
    assert host.process.wait(15) == 0
    assert (host.app / "stopped").exists()
    assert not is_alive(host.worker_pid)


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


HURRIED = "\n\nimport gateway.web_extension\n\ngateway.web_extension.GRACEFUL_SHUTDOWN = 0\n"


def test_answer_that_does_not_end_may_say_so_when_the_host_stops(tmp_path: Path) -> None:
    """The worker is stopped while its callers are still connected: an answer it cuts short can have last words."""
    host = launch(write_app(tmp_path / "app", SAMPLE_APP.read_text() + HURRIED))
    try:
        with connected(host) as connection:
            connection.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            read_until(connection, b"first")
            host.process.send_signal(signal.SIGTERM)
            assert read_to_end(connection).endswith(b"last words\r\n0\r\n\r\n")
        assert host.process.wait(15) == 0
    finally:
        host.stop()


def test_second_signal_does_not_wait(start_host: Start) -> None:
    """Whoever presses Ctrl-C twice is not kept waiting for a call that does not end."""
    host = start_host()
    with connected(host) as connection:
        connection.sendall(b"GET /until/never HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until((host.app / "never.waiting").exists)
        host.process.send_signal(signal.SIGINT)
        wait_until(lambda: "stopping" in host.log.read_text())
        host.process.send_signal(signal.SIGINT)
        assert read_to_end(connection).startswith(b"HTTP/1.1 502 ")
    assert host.process.wait(5) == 0
    assert not is_alive(host.worker_pid)


def test_worker_does_not_outlive_a_killed_host(start_host: Start) -> None:
    """The worker ends, through its lifespan, when the host is killed without warning."""
    host = start_host()
    host.process.kill()
    host.process.wait()
    wait_until(lambda: not is_alive(host.worker_pid))
    assert (host.app / "stopped").exists()


def test_killed_worker_is_replaced(start_host: Start) -> None:
    """Calls in flight get 502 when the worker dies, and soon another serves."""
    host = start_host()
    call = wait_for(host, "never")
    os.kill(host.worker_pid, signal.SIGKILL)
    call.join()
    assert call.answers[0].status_code == 502  # type: ignore[attr-defined]
    wait_until(lambda: host.get("/plain").status_code == 200)
    successor = host.diagnostics()["pid"]
    assert successor != host.worker_pid
    host.stop()
    assert not is_alive(successor)


def test_silent_function_is_given_up(start_host: Start) -> None:
    """A function that does not begin to answer in time is answered for with 502, and learns of it."""
    host = start_host("--first-byte-timeout", "0.5")
    assert host.get("/hang/late").status_code == 502
    wait_until(lambda: "late" in host.diagnostics()["left"])


def test_functions_out_of_reach_are_said(start_host: Start) -> None:
    """A function whose key nobody has is named in the log, and not called."""
    host = start_host()
    assert "function guarded needs a key" in host.log.read_text()
    assert host.get("/guarded", headers={"x-functions-key": ""}).status_code == 401
