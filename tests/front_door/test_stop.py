"""The gateway is told to stop while it works: what its callers and its log hear of it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam

from local.azurite import free_port
from local.processes import REPOSITORY
from tests.front_door.system import CATALOG, System
from tests.front_door.test_bad_input import CHAT, head

HELLO: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "Hello!"}]

# The app as it is, but the worker's web server cancels at once what it would give ten seconds.
APP = f"""
import sys

sys.path.insert(1, {str(REPOSITORY)!r})
import gateway.web_extension

gateway.web_extension.GRACEFUL_SHUTDOWN = 0
exec(compile(open({str(REPOSITORY / "function_app.py")!r}).read(), "function_app.py", "exec"))
"""


@pytest.fixture
def system(tmp_path: Path) -> System:
    """A system with this app, not started yet. The test stops it."""
    (tmp_path / "function_app.py").write_text(APP)
    shutil.copy(REPOSITORY / "host.json", tmp_path)
    return System(app=tmp_path)


def test_stream_cut_short_by_the_end_has_its_error_event(system: System) -> None:
    """The caller is told that the stream is not whole, and the log does not say that the caller has left."""
    stopping = threading.Thread(target=system.stop)
    try:
        system.start()
        wishes = {"x-stand-in-chunk-delay": "0.1", "x-stand-in-words": "1000", "x-request-id": "cut-short"}
        with (
            openai.OpenAI(base_url=f"{system.url}/openai", api_key=system.keys["team"], max_retries=0) as client,
            pytest.raises(openai.APIError, match="restarting") as caught,
        ):
            for _ in client.chat.completions.create(model="m", messages=HELLO, stream=True, extra_headers=wishes):
                if not stopping.ident:
                    stopping.start()
    finally:
        if not stopping.ident:
            stopping.start()
        stopping.join()
    assert caught.value.code == "GatewayStopping"
    entry = system.log_of("cut-short")
    assert (entry["status"], entry["code"], entry["aborted"]) == (200, "GatewayStopping", False)


@contextlib.contextmanager
def calling(system: System, request_id: str, *wishes: str) -> Iterator[socket.socket]:
    """A streamed call over a connection that nobody reads from."""
    content = b'{"model": "m", "stream": true, "messages": [{"role": "user", "content": "x"}]}'
    fields = ["Content-Type: application/json", f"Content-Length: {len(content)}", f"x-request-id: {request_id}"]
    with socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        caller.settimeout(30)
        caller.connect(("127.0.0.1", system.port))
        caller.sendall(head("POST", CHAT, system.keys["team"], *fields, *wishes) + content)
        yield caller


def test_every_call_that_the_end_overtakes_leaves_its_line(system: System) -> None:
    """One that waits for its backend is answered 503; one that takes nothing of its stream keeps nobody waiting."""
    try:
        system.azurite.start()
        patient = CATALOG.replace("firstByte: 2", "firstByte: 60")
        system.apply(patient.format(model_url=system.model.url, closed_port=free_port()))
        system.start_host()
        with (
            calling(system, "waiting", "x-stand-in-hang: head") as waiting,
            calling(system, "takes-nothing", "x-stand-in-words: 900000") as taking,
        ):
            assert taking.recv(1) == b"H"
            system.stop()
            assert waiting.recv(65_536).startswith(b"HTTP/1.1 503 ")
    finally:
        system.stop()
    assert [system.log_of(name)["status"] for name in ("waiting", "takes-nothing")] == [503, 200]
    assert {system.log_of(name)["code"] for name in ("waiting", "takes-nothing")} == {"GatewayStopping"}
