"""The dimensions of `tokenMetrics`, compiled to functions of a call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from gateway.call import Call
from gateway.caller_address import caller_address
from gateway.catalog.dimensions import MOST_DIMENSIONS, DimensionSource, parse_dimension
from gateway.catalog.keys import PREFIX, holds_key
from gateway.catalog.limits import TokenMetrics
from gateway.catalog.models import Product
from gateway.catalog.snapshot import ApiEntry
from gateway.llm.model_names import shown_model
from gateway.telemetry.aggregates import Attributes

Value = Callable[[Call], str | None]

LONGEST_VALUE = 200
# An escaped key is three times as long, so one that begins among the characters that are kept ends among these.
SEARCHED_CHARACTERS = 2 * LONGEST_VALUE


@dataclass(frozen=True, slots=True)
class Place:
    """Where this gateway runs, for the dimensions `Gateway ID` and `Location`."""

    gateway: str
    location: str | None = None


class TokenMeter:
    """The namespace and the dimensions of the token metrics of one API and product."""

    __slots__ = ("_names", "_values", "namespace")

    def __init__(self, namespace: str, values: Iterable[tuple[str, Value]]) -> None:
        self.namespace = namespace
        dimensions = tuple(values)
        self._names = [name for name, _ in dimensions]
        self._values = [value for _, value in dimensions]

    def values(self, call: Call) -> tuple[str, ...]:
        """What this call has in each dimension, as it came but for its length; empty where it has nothing."""
        return tuple([(value(call) or "")[:SEARCHED_CHARACTERS] for value in self._values])

    def attributes(self, values: Iterable[str]) -> Attributes:
        """The dimensions that have a value which may be shown."""
        shown = ((name, attribute_text(value)) for name, value in zip(self._names, values, strict=True))
        return tuple((name, text) for name, text in shown if text)


def token_meter(entry: ApiEntry, product: Product | None, place: Place) -> TokenMeter | None:
    """What the API, the product and the gateway say together; None if none of them wants token metrics."""
    holders = (entry.api, product, entry.gateway)
    settings = [holder.token_metrics for holder in holders if holder and holder.token_metrics]
    if not settings:
        return None
    namespace, dimensions = _merged(settings)
    sources = ((name, parse_dimension(name, text)) for name, text in dimensions.items())
    return TokenMeter(namespace, ((name, _value(source, entry, place)) for name, source in sources))


def attribute_text(text: str) -> str:
    """At most 200 characters that any encoding takes; empty if there is a key among them."""
    text = text[:SEARCHED_CHARACTERS]
    if (PREFIX in text or "%" in text) and holds_key(unquote(text)):
        return ""
    # Half a surrogate would make the whole batch impossible to encode.
    return text[:LONGEST_VALUE].encode("utf-8", "replace").decode()


def _merged(settings: Iterable[TokenMetrics]) -> tuple[str, Mapping[str, str | None]]:
    """One namespace and at most ten dimensions of several settings, the narrowest first, which has its way."""
    namespace = TokenMetrics.model_fields["namespace"].default
    dimensions: dict[str, str | None] = {}
    for one in reversed(list(settings)):
        if "namespace" in one.model_fields_set:
            namespace = one.namespace
        dimensions = {
            **one.dimensions,
            **{name: text for name, text in dimensions.items() if name not in one.dimensions},
        }
    return namespace, dict(list(dimensions.items())[:MOST_DIMENSIONS])


def _value(source: DimensionSource, entry: ApiEntry, place: Place) -> Value:
    match source.kind:
        case "header":
            name = source.name.encode()
            return lambda call: call.header(name)
        case "subscription":
            return lambda call: call.caller.subscription
        case "product":
            return lambda call: call.caller.product.name if call.caller.product else None
        case "operation":
            return lambda call: call.operation.name if call.operation else None
        case "ip":
            return lambda call: caller_address(call.headers)
        case "model":
            return shown_model
    fixed = {
        "api": entry.api.name,
        "backend": entry.backend.name,
        "gateway": place.gateway,
        "location": place.location,
        "text": source.name,
    }[source.kind]
    return lambda call: fixed
