"""Aggregates in the data model of OpenTelemetry's SDK, as its exporters take them. Imports the SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from gateway.telemetry.aggregates import Aggregates, Attributes, Distribution, Instrument, Point, Total


def metrics_data(
    aggregates: Aggregates, ended: int, temporality: AggregationTemporality, resource: Resource
) -> MetricsData:
    """One export: every point from when the aggregates began to `ended` (nanoseconds of the epoch)."""
    scopes: dict[str, list[Metric]] = {}
    for instrument, points in aggregates.points.items():
        metric = _metric(instrument, points, (aggregates.started, ended), temporality)
        scopes.setdefault(instrument.meter, []).append(metric)
    scope_metrics = [ScopeMetrics(InstrumentationScope(meter), metrics, "") for meter, metrics in scopes.items()]
    return MetricsData([ResourceMetrics(resource, scope_metrics, "")])


def _metric(
    instrument: Instrument,
    points: Mapping[Attributes, Point],
    span: tuple[int, int],
    temporality: AggregationTemporality,
) -> Metric:
    data: Sum | Histogram
    if instrument.boundaries:
        data = Histogram(list(_histogram_points(points, span)), temporality)
    else:
        data = Sum(list(_number_points(points, span)), temporality, is_monotonic=True)
    return Metric(instrument.name, instrument.description, instrument.unit, data)


def _number_points(points: Mapping[Attributes, Point], span: tuple[int, int]) -> Iterator[NumberDataPoint]:
    for attributes, point in points.items():
        assert isinstance(point, Total)
        yield NumberDataPoint(dict(attributes), *span, point.value)


def _histogram_points(points: Mapping[Attributes, Point], span: tuple[int, int]) -> Iterator[HistogramDataPoint]:
    for attributes, point in points.items():
        assert isinstance(point, Distribution)
        yield HistogramDataPoint(
            dict(attributes),
            *span,
            count=point.count,
            sum=point.sum,
            bucket_counts=point.buckets,
            explicit_bounds=point.boundaries,
            min=point.least,
            max=point.most,
        )
