"""The instruments and the page about them say the same."""

import re
from pathlib import Path

from gateway.telemetry.instruments import OWN_INSTRUMENTS, TOKEN_NAMES

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()


def test_every_instrument_is_described() -> None:
    """With its kind and its unit, and no other is; the token counters are in the order of their figures."""
    rows = re.findall(r"^\| `([a-z_.]+)` \| (\w+), `(\S+)` \|", PAGE, re.MULTILINE)
    assert rows == [(each.name, "histogram" if each.boundaries else "counter", each.unit) for each in OWN_INSTRUMENTS]
    assert tuple(re.findall(r"^\| `([A-Z]\w+ Tokens)` \|", PAGE, re.MULTILINE)) == TOKEN_NAMES


def test_queries_ask_for_what_there_is() -> None:
    """Every metric that a query names is one of ours."""
    queries = "".join(re.findall(r"```kusto\n(.*?)```", PAGE, re.DOTALL))
    asked = set(re.findall(r'name == "([^"]+)"', queries))
    assert asked <= {*TOKEN_NAMES, *(each.name for each in OWN_INSTRUMENTS)}
    assert len(asked) > 5
