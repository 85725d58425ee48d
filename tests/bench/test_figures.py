"""The figures that are made of others."""

from bench.figures import Load, Series, Spread
from bench.pairs import in_turns
from tests.bench.sample_results import RESULTS, series


def test_a_spread_is_the_median_with_both_ends() -> None:
    """The median of an even number of values lies between the two in the middle."""
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert Spread.of(iter([4.0, 1.0])) == Spread(2.5, 1.0, 4.0)


def test_a_series_takes_the_median_of_its_rounds() -> None:
    """One noisy round changes the ends, not the middle."""
    measured = series("gateway", 32, 2_000, 10, 2_100)
    assert measured.per_second == Spread(2_000.0, 10.0, 2_100.0)
    assert measured.errors == 0


def test_requests_a_second_are_counted_over_the_real_duration() -> None:
    """wrk runs a little longer than it is told."""
    assert Load(requests=300, seconds=1.5, p50=1, p99=2, errors=0).per_second == 200


def test_processor_time_is_the_median_of_the_rounds() -> None:
    """For each process by itself."""
    rounds = ({"worker, user": 200.0}, {"worker, user": 300.0}, {"worker, user": 220.0})
    assert Series("gateway", 32, (), rounds).processor_use() == {"worker, user": 220.0}
    assert Series("gateway", 32, ()).processor_use() == {}


def test_what_was_not_measured_is_none() -> None:
    """A part of a run can be asked for what it has not."""
    assert RESULTS.series("gateway", 7) is None
    assert RESULTS.stream("nobody") is None


def test_pairs_are_compared_turn_by_turn() -> None:
    """Who is first changes every turn; a machine that slows down in between blurs nothing."""
    speed = iter([1.0, 1.0, 0.5, 0.5, 0.1, 0.1])
    asked: list[str] = []

    def measure(target: str) -> float:
        asked.append(target)
        return next(speed) * {"with": 900.0, "without": 1_000.0}[target]

    pairs = in_turns(("with", "without"), measure, 3)
    assert asked == ["without", "with", "with", "without", "without", "with"]
    assert pairs.ratio == Spread(0.9, 0.9, 0.9)
