"""The gateway is told to stop while it works: what its callers and its log hear of it."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam

from local.processes import REPOSITORY
from tests.front_door.system import System

HELLO: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "Hello!"}]

# The app as it is, but the worker's web server cancels at once what it would give ten seconds.
APP = f"""
import sys

sys.path.insert(1, {str(REPOSITORY)!r})
import gateway.web_extension

gateway.web_extension.GRACEFUL_SHUTDOWN = 0
exec(compile(open({str(REPOSITORY / "function_app.py")!r}).read(), "function_app.py", "exec"))
"""


def test_stream_cut_short_by_the_end_has_its_error_event(tmp_path: Path) -> None:
    """The caller is told that the stream is not whole, and the log does not say that the caller has left."""
    (tmp_path / "function_app.py").write_text(APP)
    shutil.copy(REPOSITORY / "host.json", tmp_path)
    system = System(app=tmp_path)
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
