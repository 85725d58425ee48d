"""The programs that are measured with, and are not Python packages: nginx and wrk."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from bench.faults import BenchFailed

# A server is often installed where only root looks.
SERVER_PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")


@dataclass(frozen=True)
class Tools:
    """Where they are."""

    nginx: str
    wrk: str


def find_tools(places: Sequence[str] | None = None, server_places: Sequence[str] = SERVER_PLACES) -> Tools:
    """Both, or BenchFailed with the remedy. `places` is PATH unless given."""
    path = list(os.get_exec_path() if places is None else places)
    found = {
        "nginx": shutil.which("nginx", path=os.pathsep.join([*path, *server_places])),
        "wrk": shutil.which("wrk", path=os.pathsep.join(path)),
    }
    missing = [name for name, place in found.items() if place is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise BenchFailed(
            f"{' and '.join(missing)} {verb} needed to measure: install with your package manager "
            "(Debian: `apt-get install nginx-light wrk`; macOS: `brew install nginx wrk`)."
        )
    return Tools(nginx=str(found["nginx"]), wrk=str(found["wrk"]))


def nginx_version(tools: Tools) -> str:
    """As it says itself."""
    said = subprocess.run([tools.nginx, "-v"], capture_output=True, text=True, check=False).stderr
    return said.strip().rpartition("/")[2]
