"""Where the worker's time goes under load: samples of its stacks, shared out among components.

A sample belongs to the innermost function whose file is some component's; a system call or a part of the standard
library counts for the component that called it.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bench.faults import BenchFailed
from bench.figures import Profile
from bench.plan import Plan
from bench.progress import say
from bench.stage import GATEWAY, Stage

SAMPLES_PER_SECOND = 500
MOST_SEEN = 25

WEB, AZURE, GATEWAY_ITSELF = "web extension, uvicorn, Starlette", "Azure worker library", "gateway"
BACKENDS, LOG, JSON = "backend client: transport, httpx2", "request log, logging", "JSON"
SHELL, STORAGE, LOOP, OTHER = "stand-in for the host's channel", "storage client", "event loop", "other"

# The first that is found in a file's path decides.
COMPONENTS = (
    ("/gateway/web_extension.py", WEB),
    ("/gateway/request_log.py", LOG),
    ("/gateway/backends/", BACKENDS),
    ("/gateway/storage/", STORAGE),
    ("/gateway/", GATEWAY_ITSELF),
    ("/function_app.py", GATEWAY_ITSELF),
    ("/local/", SHELL),
    ("/uvicorn/", WEB),
    ("/starlette/", WEB),
    ("/azurefunctions/", AZURE),
    ("/azure_functions_runtime/", AZURE),
    ("/azure/functions/", AZURE),
    ("/httpx2/", BACKENDS),
    ("/httpcore2/", BACKENDS),
    ("/azure/", STORAGE),
    ("/aiohttp/", STORAGE),
    ("/json/", JSON),
    ("/logging/", LOG),
)

# Whatever is below one of these in a stack was called by the loop, not by who is above it.
LOOP_FUNCTIONS = ("BaseEventLoop._run_once", "Handle._run")

# Threads that stand still here are taken for busy by a sampler that has stopped the process.
WAITING = (("_worker", "/concurrent/futures/thread.py"), ("end_with_host", "/local/worker.py"))
FRAME = re.compile(r"(?P<function>.*) \((?P<file>.*?)(?::\d+)?\)")


def measure_profile(stage: Stage, plan: Plan) -> Profile:
    """py-spy on the worker while wrk loads it."""
    say(f"profile: {plan.profile_seconds} s at {max(plan.connections)} connections")
    file = stage.folder / "stacks.txt"
    options = ["--pid", str(stage.gateway.worker_pid), "--duration", str(plan.profile_seconds)]
    options += ["--rate", str(SAMPLES_PER_SECOND), "--format", "raw", "--full-filenames"]
    sampler = Path(sys.executable).with_name("py-spy")
    if not sampler.exists():
        raise BenchFailed("py-spy is not installed beside this Python: `make setup` installs it in .venv.")
    command = [str(sampler), "record", *options, "--output", str(file)]
    load = threading.Thread(
        target=stage.load.run, args=(stage.ports[GATEWAY], max(plan.connections), plan.profile_seconds + 2)
    )
    load.start()
    try:
        said = _record(command)
    finally:
        load.join()
    stage.gateway.empty_log()
    if not file.exists():
        raise BenchFailed(f"py-spy could not look into the worker (it needs root, or ptrace allowed): {said}")
    return share(file.read_text().splitlines())


def _record(command: list[str]) -> str:
    recorder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = recorder.communicate()
    except BaseException:
        recorder.send_signal(signal.SIGINT)
        recorder.wait()
        raise
    return said.strip()[-500:]


def share(stacks: Iterable[str]) -> Profile:
    """From lines of "outer;inner;innermost count"."""
    components: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        frames = [_frame(text) for text in stack.split(";")]
        if not _is_waiting(frames[-1]):
            components[component_of(frames)] += int(count)
            functions[_short(frames[-1])] += int(count)
    return Profile(components.total(), dict(components.most_common()), dict(functions.most_common(MOST_SEEN)))


def component_of(frames: list[tuple[str, str]]) -> str:
    """The component of one stack, outermost frame first, each a function and a file."""
    called = _called_by_loop(frames)
    if any(file.endswith("/gateway/request_log.py") for _, file in called):
        return LOG
    named = [component for _, file in reversed(called) if (component := _component_of_file(file)) is not None]
    if not named:
        return LOOP if len(called) < len(frames) else OTHER
    # JSON is worth a line of its own only where it is a caller's body that is read.
    callers = [component for component in named if component != JSON]
    return SHELL if callers[:1] == [SHELL] else named[0]


def _component_of_file(file: str) -> str | None:
    return next((component for part, component in COMPONENTS if part in file), None)


def _is_waiting(frame: tuple[str, str]) -> bool:
    return any(frame[0] == function and frame[1].endswith(file) for function, file in WAITING)


def _called_by_loop(frames: list[tuple[str, str]]) -> list[tuple[str, str]]:
    for index in range(len(frames) - 1, -1, -1):
        function, file = frames[index]
        if function in LOOP_FUNCTIONS and "/asyncio/" in file:
            return frames[index + 1 :]
    return frames


def _frame(text: str) -> tuple[str, str]:
    match = FRAME.fullmatch(text)
    return (match["function"], match["file"]) if match else (text, "")


def _short(frame: tuple[str, str]) -> str:
    function, file = frame
    parts = file.split("/")
    return f"{function} ({'/'.join(parts[-2:])})" if file else function
