"""The dimensions of token metrics, as they are written: a name, and where its value comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from gateway.catalog.fields import TOKEN, check_printable

# Azure Monitor takes no more on one metric.
MOST_DIMENSIONS = 10
LONGEST_NAME = 100
LONGEST_VALUE = 200

# What a dimension of this name says if its value is left out, as in API Management. There are no users here.
WELL_KNOWN = MappingProxyType(
    {
        "API ID": "api",
        "Backend ID": "backend",
        "Gateway ID": "gateway",
        "Location": "location",
        "Model": "model",
        "Operation ID": "operation",
        "Product ID": "product",
        "Subscription ID": "subscription",
    }
)
TEXT_PREFIX = "text:"
WORDS = ("subscription", "product", "api", "operation", "ip", "model")


@dataclass(frozen=True, slots=True)
class DimensionSource:
    """Where a value comes from. `name` is a header's name, or a fixed text."""

    kind: str
    name: str = ""


def parse_dimension(name: str, value: str | None) -> DimensionSource:
    """The source of a dimension's value; raise ValueError if there can be none."""
    if value is None:
        if name not in WELL_KNOWN:
            raise ValueError(f'must give "{name}" a value; it may be left out for {", ".join(WELL_KNOWN)}')
        return DimensionSource(WELL_KNOWN[name])
    kind, colon, rest = value.partition(":")
    if colon and kind == "header":
        if TOKEN.fullmatch(rest) is None:
            raise ValueError(f'must name a header behind "header:" for "{name}", as in "header:x-team"')
        return DimensionSource("header", rest.lower())
    if colon and kind == "text":
        if not rest:
            raise ValueError(f'must have a text behind "text:" for "{name}", as in "text:production"')
        return DimensionSource("text", rest)
    return DimensionSource(value) if value in WORDS else DimensionSource("text", value)


def check_dimensions(dimensions: Mapping[str, str | None]) -> Mapping[str, str | None]:
    """At most ten, each with a name and a value that can be had."""
    if len(dimensions) > MOST_DIMENSIONS:
        raise ValueError(f"must be at most {MOST_DIMENSIONS} dimensions; Azure Monitor takes no more")
    for name, value in dimensions.items():
        parse_dimension(name, value)
    return dimensions


DimensionName = Annotated[str, StringConstraints(max_length=LONGEST_NAME), AfterValidator(check_printable)]
DimensionValue = Annotated[str, StringConstraints(max_length=LONGEST_VALUE), AfterValidator(check_printable)]
Dimensions = Annotated[Mapping[DimensionName, DimensionValue | None], AfterValidator(check_dimensions)]
