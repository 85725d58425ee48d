"""local/health.py: is the gateway ready?"""

from __future__ import annotations

import socket
import threading

import pytest

from local.azurite import free_port
from local.health import is_ready

ANSWERS = {
    "ready": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
    "not yet": (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", False),
    "no HTTP": (b"220 mail ready\r\n", False),
    "nothing": (b"", False),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_only_a_200_is_ready(case: str) -> None:
    """Whatever else the port answers, calls cannot be made yet."""
    answer, ready = ANSWERS[case]
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(1000))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert is_ready(server.getsockname()[1]) is ready
        thread.join()
    assert asked[0].startswith(b"GET /gateway/ready HTTP/1.1\r\n")


def test_nobody_there_is_not_ready() -> None:
    """A port that nobody listens on is an answer, not an error."""
    assert not is_ready(free_port())
