"""What content safety costs: nothing is new, a prompt is new, a streamed answer is screened in windows."""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import replace

import uvloop

from bench.event_client import EventClient, Received
from bench.faults import BenchFailed
from bench.figures import Pairs, Screening, Spread
from bench.gateway import WINDOW
from bench.load import Call, analyze_call, long_call
from bench.pairs import in_turns, measured_rate
from bench.plan import Plan
from bench.progress import say
from bench.stage import GATEWAY, SAFETY_MILLISECONDS, SCREENED, UNSCREENED, Stage

NEW, NOT_SCREENED, SERVICE = "a new prompt, screened", "not screened", "the service alone"
# Each numbered event says ten characters.
EVENTS_OF_WINDOW = WINDOW // 10
EVENTS, PACE_MILLISECONDS = 250, 20
APART_SECONDS = 0.05


def measure_known(stage: Stage, plan: Plan) -> Pairs:
    """The same calls, screened and not screened, when the service need not be asked."""
    return in_turns((SCREENED, UNSCREENED), lambda target: measured_rate(stage, target, plan.pair_seconds), plan.pairs)


def measure_screening(stage: Stage, plan: Plan) -> Screening:
    """New prompts and streams, with a service that takes SAFETY_MILLISECONDS."""
    prompts = _prompts(stage, plan)
    streams = {path: _streams(stage, plan, path) for path in ("/events", "/screened-events")}
    added = [with_it - without - service for with_it, without, service in zip(*prompts.values(), strict=True)]
    service = statistics.median(prompts[SERVICE])
    return Screening(
        prompt=Spread.of(prompts[NEW]),
        prompt_unscreened=Spread.of(prompts[NOT_SCREENED]),
        service=Spread.of(prompts[SERVICE]),
        prompt_added=Spread.of(added),
        first_added=Spread.of(first_added(each) * 1e3 - service for each in streams["/screened-events"]),
        whole=Spread.of(each.whole * 1e3 for each in streams["/screened-events"]),
        whole_unscreened=Spread.of(each.whole * 1e3 for each in streams["/events"]),
    )


def _prompts(stage: Stage, plan: Plan) -> dict[str, list[float]]:
    """The p50 of each turn, in milliseconds, one call at a time."""
    key, gateway = stage.gateway.key, stage.gateway.port
    found: dict[str, list[float]] = {NEW: [], NOT_SCREENED: [], SERVICE: []}
    for turn in range(plan.safety_turns):
        run = f"turn{turn}"
        calls = {
            NEW: (gateway, long_call(key, "/screened/chat/completions", run)),
            NOT_SCREENED: (gateway, long_call(key, "/openai/chat/completions", run)),
            SERVICE: (stage.safety_port, analyze_call(run)),
        }
        for name, (port, call) in calls.items():
            load = stage.load.run(port, 1, plan.pair_seconds, call)
            if load.errors:
                raise BenchFailed(f"{load.errors} of {load.requests} calls failed: {name}")
            found[name].append(load.p50)
            say(f"{name}, turn {turn + 1} of {plan.safety_turns}: p50 {load.p50:.2f} ms")
        stage.gateway.empty_log()
    if min(found[NEW]) < SAFETY_MILLISECONDS:
        raise BenchFailed("new prompts were answered before the service can have looked at them")
    return found


def _streams(stage: Stage, plan: Plan, path: str) -> list[Received]:
    call = replace(stage.call, path=f"{path}/chat/completions", body=stage.call.body.replace("{number}", path))
    say(f"streams of {EVENTS * PACE_MILLISECONDS / 1e3:.0f} s through {path}")
    found = uvloop.run(_read(stage.turns[GATEWAY][0], call, plan.safety_streams))
    if any(each.events != EVENTS for each in found):
        raise BenchFailed(f"events of a stream through {path} were lost")
    return found


async def _read(port: int, call: Call, streams: int) -> list[Received]:
    clients = [await EventClient.connect(port, call) for _ in range(streams)]
    try:
        # Then the prompt is known.
        await asyncio.gather(*(client.read(1, 0) for client in clients))
        return await asyncio.gather(*(_one(client, number) for number, client in enumerate(clients)))
    finally:
        for client in clients:
            client.close()


async def _one(client: EventClient, number: int) -> Received:
    # Windows of all streams that end in the same moment would be a matter of the service's own speed.
    await asyncio.sleep(number * APART_SECONDS)
    return await client.read(EVENTS, PACE_MILLISECONDS, "&numbered=1")


def first_added(stream: Received) -> float:
    """Seconds from the writing of the event that fills the first window to the arrival of the first event."""
    first = stream.sent[0] + stream.delays[0]
    filled = stream.sent[EVENTS_OF_WINDOW - 1]
    if first < filled:
        raise BenchFailed("text of a stream came before its first window was full")
    return first - filled
