"""The dimensions of token metrics: where their values come from, and what several settings come to together."""

import pytest

from gateway.catalog.keys import generate
from gateway.telemetry.dimensions import Place, TokenMeter, attribute_text, token_meter
from tests.telemetry.calls import Finished, catalog, finished

PLACE = Place("my-gateway", "West Europe")
HEADERS = {"x-team": "blue", "x-forwarded-for": "10.0.0.1, 203.0.113.7:4711"}

SOURCES = {
    "a header": ("Team: 'header:X-Team'", {"Team": "blue"}),
    "a header that is not there": ("Team: 'header:x-other'", {}),
    "subscription": ("S: subscription", {"S": "team-a"}),
    "product": ("P: product", {"P": "starter"}),
    "api": ("A: api", {"A": "models"}),
    "operation": ("O: operation", {"O": "chat/completions"}),
    "model": ("M: model", {"M": "gpt-4o"}),
    "ip": ("I: ip", {"I": "203.0.113.7"}),
    "a fixed text": ("E: production", {"E": "production"}),
    "a fixed text that is a word": ("E: 'text:api'", {"E": "api"}),
    "names that have values": (
        "API ID: null, Operation ID: null, Product ID: null, Subscription ID: null, Model: null, Backend ID: null",
        {
            "API ID": "models",
            "Operation ID": "chat/completions",
            "Product ID": "starter",
            "Subscription ID": "team-a",
            "Model": "gpt-4o",
            "Backend ID": "models",
        },
    ),
    "the place": ("Gateway ID: null, Location: null", {"Gateway ID": "my-gateway", "Location": "West Europe"}),
    "none": ("", {}),
}


def meter_of(ended: Finished) -> TokenMeter | None:
    """The meter of a call."""
    assert ended.call.entry is not None
    return token_meter(ended.call.entry, ended.call.caller.product, PLACE)


@pytest.mark.parametrize(("written", "expected"), SOURCES.values(), ids=SOURCES.keys())
def test_sources(written: str, expected: dict[str, str]) -> None:
    """Every form in which a value can be written."""
    ended = finished(catalog(f"tokenMetrics: {{dimensions: {{{written}}}}}"), headers=HEADERS)
    meter = meter_of(ended)
    assert meter is not None
    assert meter.namespace == "llm"
    assert dict(meter.attributes(meter.values(ended.call))) == expected


MANY = ", ".join(f"D{number}: d" for number in range(10))
TOGETHER = {
    "only the gateway": (("", "", "{namespace: g, dimensions: {A: g}}"), "g", {"A": "g"}),
    "only the product": (("", "{namespace: p, dimensions: {A: p}}", ""), "p", {"A": "p"}),
    "all three": (
        (
            "{namespace: a, dimensions: {A: a}}",
            "{namespace: p, dimensions: {A: p, B: p}}",
            "{namespace: g, dimensions: {A: g, B: g, C: g}}",
        ),
        "a",
        {"A": "a", "B": "p", "C": "g"},
    ),
    "a namespace left out": (("{dimensions: {A: a}}", "", "{namespace: g}"), "g", {"A": "a"}),
    "more than ten": (
        (f"{{dimensions: {{{MANY}}}}}", "", "{dimensions: {G: g}}"),
        "llm",
        dict.fromkeys((f"D{number}" for number in range(10)), "d"),
    ),
}


@pytest.mark.parametrize(("written", "namespace", "expected"), TOGETHER.values(), ids=TOGETHER.keys())
def test_settings_together(written: tuple[str, str, str], namespace: str, expected: dict[str, str]) -> None:
    """The API's word goes before the product's, and the product's before the gateway's."""
    api, product, gateway = (text and f"tokenMetrics: {text}" for text in written)
    ended = finished(catalog(api, product, gateway))
    meter = meter_of(ended)
    assert meter is not None
    assert (meter.namespace, dict(meter.attributes(meter.values(ended.call)))) == (namespace, expected)


def test_without_token_metrics() -> None:
    """There is nothing to count."""
    assert meter_of(finished(catalog(""))) is None


KEY = generate()
TEXTS = {
    "plain": ("blue", "blue"),
    "long": ("x" * 500, "x" * 200),
    "a key": (f"Bearer {KEY}", ""),
    "an escaped key": (KEY.replace("_", "%5F"), ""),
    "a key over the edge": ("x" * 199 + KEY, ""),
    "a key beyond": ("x" * 400 + KEY, "x" * 200),
    "half a surrogate": ("\ud800", "?"),
    "a percent sign": ("50%", "50%"),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS.keys())
def test_values_have_an_end_and_hold_no_key(text: str, expected: str) -> None:
    """Whatever callers write."""
    assert attribute_text(text) == expected
