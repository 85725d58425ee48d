"""The dimensions of token metrics; `test_limits.py` has what is refused."""

import pytest

from gateway.catalog.dimensions import DimensionSource, parse_dimension

DIMENSIONS: dict[str, tuple[str, str | None, DimensionSource]] = {
    "its own value": ("Subscription ID", None, DimensionSource("subscription")),
    "a word": ("x", "model", DimensionSource("model")),
    "a header": ("x", "header:X-Team", DimensionSource("header", "x-team")),
    "a fixed text": ("x", "production", DimensionSource("text", "production")),
    "a word as a fixed text": ("x", "text:model", DimensionSource("text", "model")),
}


@pytest.mark.parametrize(("name", "value", "source"), DIMENSIONS.values(), ids=DIMENSIONS.keys())
def test_dimensions(name: str, value: str | None, source: DimensionSource) -> None:
    """Where their values come from."""
    assert parse_dimension(name, value) == source
