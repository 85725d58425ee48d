"""A cold start: from the start of the processes to the first call that is answered, and what takes the time."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench.faults import BenchFailed
from bench.figures import ColdStart, Spread
from bench.imports import seconds_of
from bench.load import first_answer
from bench.plan import Plan
from bench.progress import say
from bench.stage import Stage

HOST, WORKER = "import local.host", "import azure_functions_runtime"
APP = f"{WORKER}; import function_app"


def measure_start(stage: Stage, plan: Plan) -> ColdStart:
    """Starts the gateway once more beside the one that runs, and again. Storage and backend are there."""
    say(f"cold starts: {plan.start_rounds}")
    ready, first = zip(*(_start(stage) for _ in range(plan.start_rounds)), strict=True)
    bare, host, worker, app = (
        [seconds_of(code) for _ in range(plan.start_rounds)] for code in ("pass", HOST, WORKER, APP)
    )
    return ColdStart(
        whole=Spread.of(map(sum, zip(ready, first, strict=True))),
        ready=Spread.of(ready),
        first_call=Spread.of(first),
        host_imports=_added(host, bare),
        worker_imports=_added(worker, bare),
        app_imports=_added(app, worker),
    )


def _start(stage: Stage) -> tuple[float, float]:
    began = time.perf_counter()
    with stage.gateway.another() as port:
        ready = time.perf_counter()
        status = first_answer(port, stage.call)
        if status != 200:
            raise BenchFailed(f"the first call after a cold start was answered with {status}")
        return ready - began, time.perf_counter() - ready


def _added(seconds: Sequence[float], to: Sequence[float]) -> Spread:
    base = Spread.of(to).median
    return Spread.of(each - base for each in seconds)
