"""What a call leaves in the metrics when it is over."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from gateway.call import CacheNote, Call, Outcome
from gateway.catalog.models import Product
from gateway.catalog.snapshot import ApiEntry
from gateway.errors import CODES
from gateway.llm.usage import Usage
from gateway.settings import Settings
from gateway.telemetry.aggregates import MAXIMUM_ATTRIBUTE_SETS, OVERFLOW, Aggregates, Attributes, Instrument, Point
from gateway.telemetry.conventions import operation_and_model, provider_name
from gateway.telemetry.delivery import Delivery, Outlet
from gateway.telemetry.dimensions import Place, TokenMeter, attribute_text, token_meter
from gateway.telemetry.instruments import (
    CACHE_CALLS,
    CONTENT_SAFETY,
    CONTENT_SAFETY_DURATION,
    EMBEDDING_DURATION,
    EMBEDDING_TOKENS,
    LEDGER_UNAVAILABLE,
    REFUSALS,
    REQUEST_DURATION,
    TIME_TO_FIRST_TOKEN,
    TOKEN_USAGE,
    token_figures,
    token_instruments,
)

INPUT = ("gen_ai.token.type", "input")
OUTPUT = ("gen_ai.token.type", "output")


class _Compiled:
    """What the settings of one API come to, for each product that it is called through."""

    __slots__ = ("_meters", "_place", "entry", "provider")

    def __init__(self, entry: ApiEntry, place: Place) -> None:
        self.entry = entry
        self.provider = provider_name(entry)
        self._place = place
        self._meters: dict[str | None, tuple[Product | None, TokenMeter | None]] = {}

    def meter(self, product: Product | None) -> TokenMeter | None:
        name = product.name if product else None
        known = self._meters.get(name)
        if known is None or known[0] is not product:
            known = self._meters[name] = (product, token_meter(self.entry, product, self._place))
        return known[1]


# Operation, provider, model, error, and whether there is usage: calls of which these are the same have the same
# attributes by OpenTelemetry's conventions.
_Kind = tuple[str, str | None, str | None, str | None, bool]


class _Tokens:
    """What calls with the same values in all dimensions of `tokenMetrics` have used: one object in place of points."""

    __slots__ = ("cached", "completion", "prompt", "reasoning")

    def __init__(self) -> None:
        self.prompt = self.completion = self.cached = self.reasoning = 0

    def add(self, usage: Usage) -> None:
        """One more call's."""
        self.prompt += usage.prompt
        self.completion += usage.completion
        self.cached += usage.cached
        self.reasoning += usage.reasoning

    @property
    def sum(self) -> Usage:
        """All of it."""
        return Usage(self.prompt, self.completion, self.cached, self.reasoning)


class _Interval:
    """What is recorded until the next export, and for calls of one kind, of which there are many, where theirs belongs.

    `tokens` is for `tokenMetrics`; `calls` has the points of the conventions: of duration, input and output.
    """

    __slots__ = ("aggregates", "calls", "tokens")

    def __init__(self) -> None:
        self.aggregates = Aggregates()
        self.tokens: dict[tuple[TokenMeter, tuple[str, ...]], _Tokens] = {}
        self.calls: dict[_Kind, tuple[Point, ...]] = {}


class TelemetryRecorder:
    """Counts and times calls, and has the figures exported. All in the event loop, but for the exporting."""

    def __init__(self, settings: Settings) -> None:
        self._place = Place(settings.site_name, settings.region)
        self._interval = _Interval()
        self._compiled: dict[str, _Compiled] = {}
        self._namespaces: dict[str, tuple[Instrument, ...]] = {}
        self._delivery = Delivery(partial(_open_outlets, settings), self._take, settings.metric_export_interval / 1000)

    def start(self) -> None:
        """Load the exporters in a thread and export in every interval from now on. Needs the running loop."""
        self._delivery.start()

    async def aclose(self) -> None:
        """Export what there is, for at most two seconds."""
        await self._delivery.aclose()

    def record(self, call: Call, outcome: Outcome) -> None:
        """An end-of-call callback; `call.usage` must be known by now."""
        code = outcome.code
        if code is not None and code in CODES and CODES[code].fault == "policy":
            self._interval.aggregates.record(REFUSALS, (("error.type", code),), 1)
        if call.safety is not None:
            self._interval.aggregates.record(CONTENT_SAFETY, (("outcome", call.safety.status),), 1)
            if call.safety.seconds:
                self._interval.aggregates.record(CONTENT_SAFETY_DURATION, (), call.safety.seconds)
        if call.entry is None:
            return
        compiled = self._compile(call.entry)
        meter = compiled.meter(call.caller.product)
        if meter is not None and call.usage is not None:
            self._record_tokens(meter, meter.values(call), call.usage)
        self._record_conventions(call, outcome, compiled.provider)
        if call.cache is not None:
            self._record_cache(call.cache)

    def ledger_unavailable(self) -> None:
        """A limit could not be checked, because storage did not answer."""
        self._interval.aggregates.record(LEDGER_UNAVAILABLE, (), 1)

    def _record_cache(self, note: CacheNote) -> None:
        result, _, detail = note.status.partition("; ")
        attributes: Attributes = (("gateway.cache.result", result.lower()),)
        if detail:
            attributes += (("gateway.cache.detail", detail),)
        record = self._interval.aggregates.record
        record(CACHE_CALLS, attributes, 1)
        if note.embedding_seconds:
            record(EMBEDDING_DURATION, (), note.embedding_seconds)
        if note.embedding_tokens:
            record(EMBEDDING_TOKENS, (), note.embedding_tokens)

    def _record_conventions(self, call: Call, outcome: Outcome, provider: str | None) -> None:
        found = operation_and_model(call)
        if found is None:
            return
        operation, model = found
        usage = call.usage
        failed = outcome.code or (str(outcome.status) if outcome.status >= 400 else None)
        points = self._call_points((operation, provider, model, failed, usage is not None))
        points[0].take(time.perf_counter() - call.started)
        if usage is not None:
            for point, figure in zip(points[1:], (usage.prompt, usage.completion), strict=False):
                point.take(figure)
        if outcome.streamed and call.first_byte_seconds is not None and outcome.status < 400:
            attributes = _attributes(operation, provider, model)
            self._interval.aggregates.record(TIME_TO_FIRST_TOKEN, attributes, call.first_byte_seconds)

    def _record_tokens(self, meter: TokenMeter, values: tuple[str, ...], usage: Usage) -> None:
        known, key = self._interval.tokens, (meter, values)
        tokens = known.get(key)
        if tokens is None:
            if len(known) >= MAXIMUM_ATTRIBUTE_SETS:
                self._count_tokens(self._interval.aggregates, meter, OVERFLOW, usage)
                return
            tokens = known[key] = _Tokens()
        tokens.add(usage)

    def _count_tokens(self, aggregates: Aggregates, meter: TokenMeter, attributes: Attributes, usage: Usage) -> None:
        for instrument, figure in zip(self._counters(meter.namespace), token_figures(usage), strict=True):
            aggregates.record(instrument, attributes, figure)

    def _call_points(self, kind: _Kind) -> tuple[Point, ...]:
        """Duration, and where there is usage input and output; embeddings have no output."""
        known = self._interval.calls
        points = known.get(kind)
        if points is None:
            operation, provider, model, failed, has_usage = kind
            attributes = _attributes(operation, provider, model)
            wanted = [(REQUEST_DURATION, (*attributes, ("error.type", failed)) if failed else attributes)]
            if has_usage:
                wanted.append((TOKEN_USAGE, (*attributes, INPUT)))
                if operation != "embeddings":
                    wanted.append((TOKEN_USAGE, (*attributes, OUTPUT)))
            points = tuple(self._interval.aggregates.point(*each) for each in wanted)
            if len(known) < MAXIMUM_ATTRIBUTE_SETS:
                known[kind] = points
        return points

    def _compile(self, entry: ApiEntry) -> _Compiled:
        # By name, so that what was compiled for an older catalog does not pile up.
        known = self._compiled.get(entry.api.name)
        if known is None or known.entry is not entry:
            known = self._compiled[entry.api.name] = _Compiled(entry, self._place)
        return known

    def _counters(self, namespace: str) -> tuple[Instrument, ...]:
        known = self._namespaces.get(namespace)
        if known is None:
            known = self._namespaces[namespace] = token_instruments(namespace)
        return known

    def _take(self) -> Aggregates:
        taken, self._interval = self._interval, _Interval()
        for (meter, values), tokens in taken.tokens.items():
            self._count_tokens(taken.aggregates, meter, meter.attributes(values), tokens.sum)
        return taken.aggregates


def build_telemetry(settings: Settings) -> TelemetryRecorder | None:
    """The recorder, or None if there is nowhere to export to: then metrics cost nothing."""
    if settings.application_insights or settings.otlp_endpoint:
        return TelemetryRecorder(settings)
    return None


def _attributes(operation: str, provider: str | None, model: str | None) -> Attributes:
    attributes: Attributes = (("gen_ai.operation.name", operation),)
    if provider is not None:
        attributes += (("gen_ai.provider.name", provider),)
    if model and (model := attribute_text(model)):
        attributes += (("gen_ai.request.model", model),)
    return attributes


def _open_outlets(settings: Settings) -> Sequence[Outlet]:
    from gateway.telemetry.exporters import open_outlets

    return open_outlets(settings)
