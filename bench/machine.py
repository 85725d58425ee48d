"""What the figures were measured on, without what would tell whose machine it is."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

from bench.tools import Tools, nginx_version


def describe_machine(tools: Tools | None) -> dict[str, str]:
    """Processor, memory, system, versions, and how busy it already is."""
    described = {
        "processor": f"{os.cpu_count()} cores, {_processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "Functions Python worker": version("azure-functions-runtime"),
    }
    if tools is not None:
        described["nginx"] = nginx_version(tools)
    return described | {"load before the run": f"{os.getloadavg()[0]:.1f}"}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"
