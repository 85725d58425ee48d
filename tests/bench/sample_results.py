"""The results of a run that never was, with figures that are easy to check by hand."""

from __future__ import annotations

from bench.figures import (
    ColdStart,
    Imports,
    LedgerUse,
    Load,
    Memory,
    Pairs,
    Profile,
    Results,
    Screening,
    Series,
    Spread,
    StorageUse,
    Streams,
)
from bench.stage import DIRECT, GATEWAY, HITS, KEPT, LIMITED, PLAIN, SCREENED, SLOW, UNSCREENED


def series(target: str, connections: int, *rates: int, p50: float = 1.0) -> Series:
    """One round of a second for each rate."""
    loads = tuple(Load(requests=rate, seconds=1.0, p50=p50, p99=10 * p50, errors=0) for rate in rates)
    return Series(target, connections, loads)


def streams(target: str, first_event: float) -> Streams:
    """Streams whose first event takes so many milliseconds."""
    return Streams(
        target=target,
        short_first_event=Spread(first_event, first_event, first_event),
        short_whole=Spread(2.0, 2.0, 2.0),
        burst_events_per_second=Spread(50_000.0, 40_000.0, 60_000.0),
        paced_first_event=Spread(1.5, 1.0, 2.0),
        paced_whole=Spread(2_000.0, 1_990.0, 2_010.0),
        paced_delay_p50=0.25,
        paced_delay_p99=0.75,
        lost_events=0,
    )


SPREAD = Spread(0.5, 0.4, 0.6)

RESULTS = Results(
    plan="full",
    started="2030-01-01 12:00+00:00",
    machine={"processor": "2 cores", "nginx": "1.22.1"},
    throughput=(
        series(DIRECT, 1, 9_000, p50=0.1),
        series(GATEWAY, 1, 1_000, p50=0.9),
        series(PLAIN, 32, 10_000, 8_000, 12_000),
        series(KEPT, 32, 40_000),
        series(GATEWAY, 32, 2_000, 3_000, 1_000),
    ),
    pairs=(
        Pairs(LIMITED, GATEWAY, 32, ((1_600.0, 2_000.0), (900.0, 1_000.0), (870.0, 1_000.0))),
        Pairs(HITS, GATEWAY, 32, ((890.0, 1_000.0),)),
        Pairs(HITS, SLOW, 32, ((2_400.0, 600.0),)),
        Pairs(SCREENED, UNSCREENED, 32, ((1_840.0, 2_000.0),)),
    ),
    screening=Screening(
        prompt=Spread(35.0, 34.0, 36.0),
        prompt_unscreened=Spread(1.0, 0.9, 1.1),
        service=Spread(31.0, 30.5, 31.5),
        prompt_added=Spread(3.25, 2.0, 4.0),
        first_added=Spread(2.5, 1.0, 4.0),
        whole=Spread(5_500.0, 5_400.0, 5_600.0),
        whole_unscreened=Spread(5_000.0, 4_990.0, 5_010.0),
    ),
    streams=(streams(DIRECT, 0.2), streams(GATEWAY, 1.7)),
    imports=Imports(SPREAD, SPREAD, SPREAD, 500, {"pydantic": 40.0}, ()),
    start=ColdStart(Spread(1.5, 1.4, 1.6), Spread(1.4, 1.3, 1.5), Spread(0.1, 0.09, 0.11), SPREAD, SPREAD, SPREAD),
    ledger=LedgerUse(Spread(250_000.0, 240_000.0, 260_000.0), Spread(190_000.0, 180_000.0, 200_000.0), 1.4),
    memory=Memory(60.0, {10_000: 64.0, 100_000: 70.5}),
    storage=(StorageUse(1, 1_000, 10.0, {"GET gatewaycatalog revision": 5}),),
    profile=Profile(200, {"gateway": 150, "JSON": 50}, {"write (asyncio/selector_events.py)": 20}),
)
