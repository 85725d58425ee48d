"""The programs that are measured with, and are not Python packages: nginx and wrk."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

from bench.faults import BenchFailed

# nginx is often installed where only root looks.
PLACES = (*os.get_exec_path(), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")


@dataclass(frozen=True)
class Tools:
    """Where they are."""

    nginx: str
    wrk: str


def find_tools(places: tuple[str, ...] = PLACES) -> Tools:
    """Both, or BenchFailed with the remedy."""
    path = os.pathsep.join(places)
    found = {name: shutil.which(name, path=path) for name in ("nginx", "wrk")}
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
