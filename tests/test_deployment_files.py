"""host.json and .funcignore: what Azure Functions gets, and how its host behaves."""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[1]
DEPLOYED = {"function_app.py", "host.json", "requirements.txt", "gateway"}


def host_settings() -> dict[str, Any]:
    """host.json."""
    settings: dict[str, Any] = json.loads((REPOSITORY / "host.json").read_text())
    return settings


def test_no_route_prefix() -> None:
    """The gateway's paths are its own; the host's usual `/api` would be in the way."""
    assert host_settings()["extensions"]["http"]["routePrefix"] == ""


def test_the_log_of_every_function_is_let_through_and_the_hosts_own_lines_are_not() -> None:
    """The host writes two lines a request of its own; ours come under the function's name and `.User`."""
    levels = host_settings()["logging"]["logLevel"]
    functions = re.findall(r'@app\.function_name\("(\w+)"\)', (REPOSITORY / "function_app.py").read_text())
    assert functions
    ours = {name for name in levels if name.endswith(".User")}
    assert ours == {f"Function.{name}.User" for name in functions}
    assert {levels[name] for name in ours} == {"Information"}
    assert levels["Function"] == "Warning"


def test_only_the_app_is_deployed() -> None:
    """Everything in the repository is either deployed on purpose or listed in .funcignore."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("needs the list of files from git")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    top_level = {name.partition("/")[0] for name in listed.stdout.splitlines()}
    lines = (REPOSITORY / ".funcignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    kept = {name for name in top_level if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)}
    assert kept == DEPLOYED
