"""Sums and distributions: what OpenTelemetry's own instruments would have come to."""

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.resources import Resource

from gateway.telemetry.aggregates import MAXIMUM_ATTRIBUTE_SETS, OVERFLOW, Aggregates, Attributes, Instrument, Total
from gateway.telemetry.points import metrics_data

COUNTER = Instrument("meter", "counter", "{call}", "Calls.")
HISTOGRAM = Instrument("meter", "histogram", "s", "Times.", (0.1, 1.0, 10.0))
VALUES = (0, 0.05, 0.1, 0.5, 1.0, 2, 10.0, 11)
BLUE: Attributes = (("team", "blue"),)


def test_points_are_those_of_the_sdks_own_instruments() -> None:
    """Same count, sum, least, most, and the same bucket for each value, boundaries among them."""
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader]).get_meter("meter")
    counter = meter.create_counter("counter", "{call}", "Calls.")
    histogram = meter.create_histogram("histogram", "s", "Times.", explicit_bucket_boundaries_advisory=[0.1, 1.0, 10.0])
    aggregates = Aggregates()
    for value in VALUES:
        counter.add(value, {"team": "blue"})
        histogram.record(value, {"team": "blue"})
        aggregates.record(COUNTER, BLUE, value)
        aggregates.record(HISTOGRAM, BLUE, value)
    theirs = reader.get_metrics_data()
    assert theirs is not None
    ours = metrics_data(aggregates, 2, AggregationTemporality.CUMULATIVE, Resource({}))
    found = []
    for data in (theirs, ours):
        scope = data.resource_metrics[0].scope_metrics[0]
        for metric in scope.metrics:
            (point,) = metric.data.data_points
            figures = [
                getattr(point, name, None)
                for name in ("value", "count", "sum", "min", "max", "attributes", "bucket_counts", "explicit_bounds")
            ]
            figures[-2:] = [None if each is None else list(each) for each in figures[-2:]]
            found.append(
                (scope.scope.name, metric.name, metric.unit, metric.description, type(metric.data).__name__, figures)
            )
    assert found[:2] == found[2:]


def test_intervals_add_up() -> None:
    """Two intervals are what one of both would have been."""
    whole, first, second = Aggregates(), Aggregates(), Aggregates()
    for index, value in enumerate(VALUES):
        for aggregates in (whole, first if index % 2 else second):
            aggregates.record(COUNTER, BLUE, value)
            aggregates.record(HISTOGRAM, BLUE, value)
    first.add(second)
    shown = [
        [repr({name: getattr(point, name) for name in type(point).__slots__}) for point in points.values()]
        for aggregates in (whole, first)
        for points in aggregates.points.values()
    ]
    assert shown[:2] == shown[2:]


def test_attribute_sets_have_an_end() -> None:
    """The thousand and first shares one set with all that follow; those that are known go on as before."""
    aggregates, later = Aggregates(), Aggregates()
    for number in range(MAXIMUM_ATTRIBUTE_SETS + 5):
        aggregates.record(COUNTER, (("model", f"m-{number}"),), 1)
        later.record(COUNTER, (("model", f"other-{number}"),), 1)
    aggregates.record(COUNTER, (("model", "m-0"),), 1)
    points = aggregates.points[COUNTER]
    assert len(points) == MAXIMUM_ATTRIBUTE_SETS + 1
    overflow, first = points[OVERFLOW], points[(("model", "m-0"),)]
    assert isinstance(overflow, Total)
    assert isinstance(first, Total)
    assert (overflow.value, first.value) == (5, 2)
    aggregates.add(later)
    assert len(points) == MAXIMUM_ATTRIBUTE_SETS + 1
    assert overflow.value == 5 + MAXIMUM_ATTRIBUTE_SETS + 5
