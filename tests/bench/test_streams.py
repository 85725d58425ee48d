"""Streams summed up."""

from dataclasses import replace

from bench.event_client import Received
from bench.figures import Spread
from bench.plan import QUICK
from bench.streams import Collected, summarize


def test_summary() -> None:
    """Seconds become milliseconds, missing events are counted, delays come from the paced streams alone."""
    plan = replace(QUICK, short_events=2, burst_events=1_000, paced_events=2)
    collected = Collected(
        short=[Received(0.001, 0.002, 2), Received(0.003, 0.004, 2)],
        burst=[Received(0.001, 0.5, 999)],
        paced=[Received(0.001, 1.0, 2, [0.001, 0.003])],
    )
    summary = summarize("gateway", collected, plan)
    assert summary.short_first_event == Spread(2.0, 1.0, 3.0)
    assert summary.burst_events_per_second.median == 1_998
    assert summary.paced_whole.median == 1_000
    assert round(summary.paced_delay_p50, 6) == 2.0
    assert summary.lost_events == 1
