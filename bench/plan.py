"""How much of everything a run measures."""

from __future__ import annotations

from dataclasses import dataclass

PARTS = (
    "imports",
    "ledger",
    "memory",
    "start",
    "throughput",
    "limits",
    "hits",
    "safety",
    "streams",
    "storage",
    "profile",
)

# One call after another at most doubles a lease with each exchange: so long until leases last. What an instance may ask
# of storage at once, after a rest, is used up by then too.
LEDGER_WARM_UP_SECONDS = 12.0


@dataclass(frozen=True)
class Plan:
    """The size of a run. Rounds are interleaved, so that a noisy minute touches all targets alike."""

    name: str
    import_rounds: int
    ledger_warm_up_seconds: float
    ledger_rounds: int
    ledger_seconds: float
    memory_requests: tuple[int, ...]
    start_rounds: int
    load_rounds: int
    load_seconds: int
    pairs: int
    pair_seconds: int
    safety_turns: int
    safety_streams: int
    connections: tuple[int, ...]
    stream_rounds: int
    short_streams: int
    short_events: int
    burst_events: int
    paced_streams: int
    paced_events: int
    paced_milliseconds: int
    storage_seconds: int
    profile_seconds: int


FULL = Plan(
    name="full",
    import_rounds=7,
    ledger_warm_up_seconds=LEDGER_WARM_UP_SECONDS,
    ledger_rounds=5,
    ledger_seconds=2.0,
    memory_requests=(10_000, 100_000),
    start_rounds=9,
    load_rounds=5,
    load_seconds=6,
    pairs=20,
    pair_seconds=2,
    safety_turns=8,
    safety_streams=8,
    connections=(1, 32),
    stream_rounds=3,
    short_streams=200,
    short_events=20,
    burst_events=50_000,
    paced_streams=32,
    paced_events=100,
    paced_milliseconds=20,
    storage_seconds=12,
    profile_seconds=15,
)

QUICK = Plan(
    name="quick",
    import_rounds=3,
    ledger_warm_up_seconds=LEDGER_WARM_UP_SECONDS,
    ledger_rounds=2,
    ledger_seconds=1.0,
    memory_requests=(2_000, 10_000),
    start_rounds=3,
    load_rounds=2,
    load_seconds=1,
    pairs=4,
    pair_seconds=1,
    safety_turns=2,
    safety_streams=4,
    connections=(1, 32),
    stream_rounds=1,
    short_streams=50,
    short_events=20,
    burst_events=10_000,
    paced_streams=32,
    paced_events=25,
    paced_milliseconds=20,
    storage_seconds=4,
    profile_seconds=4,
)

LONG_REQUESTS = 1_000_000
