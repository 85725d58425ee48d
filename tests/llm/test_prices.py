"""Costs, worked out by hand."""

from collections.abc import Mapping

import pytest

from gateway.catalog.limits import Price
from gateway.llm.prices import cost
from gateway.llm.usage import Usage


def price(input: float, cached_input: float | None = None, output: float = 0) -> Price:
    """As an operator writes it."""
    written = {"input": input, "cachedInput": cached_input, "output": output}
    return Price.model_validate({name: number for name, number in written.items() if number is not None})


GPT_4O = price(2.50, 1.25, 10.00)
PRICES = {
    "gpt-4o": GPT_4O,
    "mini": price(0.15, 0.075, 0.60),
    "embedding": price(0.02),
    "whole": price(3, None, 15),
    "free": price(0),
    "tiny": price(0.0001, 0, 0),
}
ANY = {**PRICES, "*": price(1, None, 2)}

# prices, model, usage, billionths of a dollar
CASES: dict[str, tuple[Mapping[str, Price], str | None, Usage, int | None]] = {
    # 1,000 x $2.50 / 1M = $0.0025; 500 x $10 / 1M = $0.005
    "prompt and completion": (PRICES, "gpt-4o", Usage(1_000, 500), 7_500_000),
    # 600 x $2.50 + 400 x $1.25 = $1,500 + $500 a million
    "cached tokens are cheaper": (PRICES, "gpt-4o", Usage(1_000, 0, cached=400), 2_000_000),
    "reasoning is among the completion": (PRICES, "gpt-4o", Usage(0, 100, reasoning=90), 1_000_000),
    "a million each": (PRICES, "gpt-4o", Usage(1_000_000, 1_000_000), 12_500_000_000),
    # 7 x 150 + 3 x 75 + 1 x 600
    "a few of a cheap model": (PRICES, "mini", Usage(10, 1, cached=3), 1_875),
    "no price for output": (PRICES, "embedding", Usage(8, 5), 160),
    "no price for cached tokens": (PRICES, "whole", Usage(10, 0, cached=10), 30_000),
    "more cached than there were": (PRICES, "gpt-4o", Usage(10, 0, cached=50), 12_500),
    "free": (PRICES, "free", Usage(1_000, 1_000), 0),
    "nothing used": (PRICES, "gpt-4o", Usage(), 0),
    "less than half of a billionth": (PRICES, "tiny", Usage(4), 0),
    "half of a billionth": (PRICES, "tiny", Usage(5), 1),
    "one and a half": (PRICES, "tiny", Usage(15), 2),
    "two and a half": (PRICES, "tiny", Usage(25), 3),
    "an unknown model": (PRICES, "gpt-5", Usage(10, 10), None),
    "no model": (PRICES, None, Usage(10, 10), None),
    "no prices": ({}, "gpt-4o", Usage(10, 10), None),
    "any other model": (ANY, "gpt-5", Usage(10, 10), 30_000),
    "any model at all": (ANY, None, Usage(10, 10), 30_000),
    "its own price comes first": (ANY, "free", Usage(10, 10), 0),
    # 10^8 tokens of each kind, the most that one answer can report: 10^8 x $2.50 / 1M + 10^8 x $10 / 1M
    "as much as can be": (PRICES, "gpt-4o", Usage(100_000_000, 100_000_000), 1_250_000_000_000),
}


@pytest.mark.parametrize(("prices", "model", "usage", "expected"), CASES.values(), ids=CASES.keys())
def test_cost(prices: Mapping[str, Price], model: str | None, usage: Usage, expected: int | None) -> None:
    """Exact to the billionth of a dollar."""
    assert cost(prices, model, usage) == expected


def test_prices_that_binary_numbers_cannot_hold_stay_exact() -> None:
    """0.1 + 0.2 is 0.3 here: any price with up to six decimals costs exactly what it says."""
    for micro in range(1, 2_000, 7):
        prices = {"m": price(micro / 1_000_000)}
        assert cost(prices, "m", Usage(1_000_000)) == micro * 1_000
