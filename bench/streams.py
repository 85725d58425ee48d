"""Streamed answers: the first event, the whole, events a second, and how long an event is under way."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

import uvloop

from bench.event_client import EventClient, Received
from bench.figures import Spread, Streams
from bench.load import Call
from bench.plan import Plan
from bench.progress import say

PATH = "/events/chat/completions"
WARM_UP = 5


@dataclass
class Collected:
    """Everything read through one target."""

    short: list[Received] = field(default_factory=list)
    burst: list[Received] = field(default_factory=list)
    paced: list[Received] = field(default_factory=list)


def measure_streams(ports: Mapping[str, int], call: Call, plan: Plan) -> tuple[Streams, ...]:
    """Every target in every round."""
    call = Call(PATH, call.headers, call.body)
    collected = {target: Collected() for target in ports}
    for number in range(plan.stream_rounds):
        for target, port in ports.items():
            say(f"streams, round {number + 1} of {plan.stream_rounds}: {target}")
            uvloop.run(_round(port, call, plan, collected[target]))
    return tuple(summarize(target, each, plan) for target, each in collected.items())


async def _round(port: int, call: Call, plan: Plan, collected: Collected) -> None:
    clients = [await EventClient.connect(port, call) for _ in range(plan.paced_streams)]
    try:
        # The first call on a connection opens others behind it.
        await asyncio.gather(*(client.read(WARM_UP, 0) for client in clients))
        for _ in range(plan.short_streams):
            collected.short.append(await clients[0].read(plan.short_events, 0))
        collected.burst.append(await clients[0].read(plan.burst_events, 0))
        paced = (client.read(plan.paced_events, plan.paced_milliseconds) for client in clients)
        collected.paced.extend(await asyncio.gather(*paced))
    finally:
        for client in clients:
            client.close()


def summarize(target: str, collected: Collected, plan: Plan) -> Streams:
    """The figures of one target."""
    delays = [delay * 1e3 for stream in collected.paced for delay in stream.delays]
    centiles = statistics.quantiles(delays, n=100, method="inclusive")
    asked = [
        (collected.short, plan.short_events),
        (collected.burst, plan.burst_events),
        (collected.paced, plan.paced_events),
    ]
    return Streams(
        target=target,
        short_first_event=Spread.of(stream.first_event * 1e3 for stream in collected.short),
        short_whole=Spread.of(stream.whole * 1e3 for stream in collected.short),
        burst_events_per_second=Spread.of(stream.events / stream.whole for stream in collected.burst),
        paced_first_event=Spread.of(stream.first_event * 1e3 for stream in collected.paced),
        paced_whole=Spread.of(stream.whole * 1e3 for stream in collected.paced),
        paced_delay_p50=centiles[49],
        paced_delay_p99=centiles[98],
        lost_events=sum(events - stream.events for streams, events in asked for stream in streams),
    )
