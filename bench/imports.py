"""What `import function_app` costs at a cold start, in fresh interpreters, and what it must not bring in."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from bench.faults import BenchFailed
from bench.figures import Imports, Spread
from bench.plan import Plan
from bench.progress import say
from local.processes import REPOSITORY

# Costly, and needed only by some deployments, some calls or none.
UNWANTED = (
    "aiohttp",
    "azure.data.tables",
    "azure.identity",
    "azure.monitor",
    "numpy",
    "openai",
    "opentelemetry.exporter",
    "opentelemetry.sdk",
    "tiktoken",
)

IMPORT = "import function_app"
LIST = "import function_app, json, sys; print(json.dumps(sorted(sys.modules)))"
LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
SLOWEST = 10


def measure_imports(plan: Plan) -> Imports:
    """Needs nothing running: importing does no I/O."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        fresh = Path(folder)
        _copy_app(fresh)
        say(f"imports: {plan.import_rounds} fresh interpreters each")
        # Writes the bytecode that the installed packages, and our own files here, are then loaded from.
        modules: list[str] = json.loads(_python(["-c", LIST], REPOSITORY).stdout)
        bare, compiled, uncompiled = [], [], []
        for _ in range(plan.import_rounds):
            bare.append(_seconds("pass", REPOSITORY))
            compiled.append(_seconds(IMPORT, REPOSITORY))
            uncompiled.append(_seconds(IMPORT, fresh, "-B"))
    timed = _python(["-X", "importtime", "-c", IMPORT], REPOSITORY).stderr
    base = Spread.of(bare)
    return Imports(
        bare=base,
        compiled=Spread.of(seconds - base.median for seconds in compiled),
        uncompiled=Spread.of(seconds - base.median for seconds in uncompiled),
        modules=len(modules),
        slowest=slowest(timed),
        unwanted=unwanted(modules),
    )


def unwanted(modules: Iterable[str]) -> tuple[str, ...]:
    """Those of UNWANTED that are among the imported modules, themselves or by a part."""
    names = list(modules)
    return tuple(each for each in UNWANTED if any(name == each or name.startswith(f"{each}.") for name in names))


def slowest(timed: str) -> dict[str, float]:
    """The modules with the most time of their own, in milliseconds, from the output of `-X importtime`."""
    own = {match[2]: int(match[1]) / 1e3 for match in LINE.finditer(timed)}
    return dict(sorted(own.items(), key=lambda item: -item[1])[:SLOWEST])


def seconds_of(code: str) -> float:
    """What a fresh interpreter takes for a line of code, here."""
    return _seconds(code, REPOSITORY)


def _copy_app(folder: Path) -> None:
    """What is deployed, without the bytecode that this machine has cached."""
    shutil.copy(REPOSITORY / "function_app.py", folder)
    shutil.copytree(REPOSITORY / "gateway", folder / "gateway", ignore=shutil.ignore_patterns("__pycache__"))


def _seconds(code: str, folder: Path, *options: str) -> float:
    began = time.perf_counter()
    _python([*options, "-c", code], folder)
    return time.perf_counter() - began


def _python(options: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment = {**kept, "GATEWAY_TABLES": "UseDevelopmentStorage=true"}
    done = subprocess.run(
        [sys.executable, *options], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BenchFailed(f"function_app cannot be imported: {done.stderr.strip()[-2000:]}")
    return done
