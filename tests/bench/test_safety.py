"""What is made of a screened stream."""

import pytest

from bench.event_client import Received
from bench.faults import BenchFailed
from bench.safety import EVENTS_OF_WINDOW, first_added


def stream(first_arrival: float) -> Received:
    """An event each 10 ms, all of which arrive at once."""
    sent = [0.01 * number for number in range(EVENTS_OF_WINDOW + 5)]
    return Received(events=len(sent), sent=sent, delays=[first_arrival - each for each in sent])


def test_the_first_text_is_held_against_the_event_that_fills_the_window() -> None:
    """Not against the first event, nor the one after it."""
    filled = 0.01 * (EVENTS_OF_WINDOW - 1)
    assert first_added(stream(filled + 0.033)) == pytest.approx(0.033)


def test_a_stream_that_is_not_held_is_no_result() -> None:
    """It would look as if screening cost nothing."""
    with pytest.raises(BenchFailed, match="before its first window"):
        first_added(stream(0.5))
