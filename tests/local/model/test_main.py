"""`python -m local.model` as a process."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx2


def test_command_line() -> None:
    """It says where it is, answers there, ends when asked, and refuses a port that is taken."""
    command = [sys.executable, "-m", "local.model", "--port"]
    with subprocess.Popen([*command, "0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            assert ready["pid"] == process.pid
            assert ready["url"].endswith("/v1")
            assert httpx2.get(f"{ready['url']}/models").status_code == 200
            port = ready["url"].split(":")[2].split("/")[0]
            second = subprocess.run([*command, port], capture_output=True, text=True, timeout=30, check=False)
            assert (second.returncode, second.stdout) == (3, "")
            assert "Cannot listen" in second.stderr
        finally:
            process.terminate()
