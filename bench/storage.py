"""Requests to Table Storage while calls are made: few calls and many calls, for the same time.

If a call cost a storage request, there would be more of them with more calls.
"""

from __future__ import annotations

from bench.figures import StorageUse
from bench.plan import Plan
from bench.progress import say
from bench.stage import GATEWAY, Stage


def measure_storage(stage: Stage, plan: Plan) -> tuple[StorageUse, ...]:
    """Once for each number of connections, after a moment in which the key becomes known."""
    stage.load.run(stage.ports[GATEWAY], 1, 1)
    measured: list[StorageUse] = []
    for connections in plan.connections:
        say(f"storage: {plan.storage_seconds} s of calls on {connections} connections")
        stage.gateway.storage.reset()
        load = stage.load.run(stage.ports[GATEWAY], connections, plan.storage_seconds)
        stage.gateway.empty_log()
        counts = stage.gateway.storage.counts()
        measured.append(StorageUse(connections, load.requests, load.seconds, counts))
    return tuple(measured)
