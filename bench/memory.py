"""Resident memory of the worker after so many requests since its start."""

from __future__ import annotations

from bench.figures import Memory
from bench.plan import Plan
from bench.processor import resident_megabytes
from bench.progress import say
from bench.stage import GATEWAY, Stage


def measure_memory(stage: Stage, plan: Plan) -> Memory:
    """Must come first: it counts the requests from the worker's start."""
    pid, connections = stage.gateway.worker_pid, max(plan.connections)
    at_start = resident_megabytes(pid)
    after: dict[int, float] = {}
    made = 0
    for requests in plan.memory_requests:
        say(f"memory: up to {requests:,} requests")
        stage.load.send(stage.ports[GATEWAY], connections, requests - made)
        stage.gateway.empty_log()
        made = requests
        after[requests] = resident_megabytes(pid)
        say(f"memory: {after[requests]:.1f} MB after {requests:,} requests")
    return Memory(at_start, after)
