"""What tokens cost, by the prices of models, which are US dollars a million tokens."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from gateway.llm.usage import Usage

if TYPE_CHECKING:
    from gateway.catalog.limits import Price

ANY_MODEL = "*"
# A dollar for a million tokens is a thousand billionths of a dollar for one.
NANO_DOLLARS_A_TOKEN = 1_000
# Whole numbers of so small a fraction hold every price that is written with up to 15 decimals.
FINE = 10**12


def cost(prices: Mapping[str, Price], model: str | None, usage: Usage) -> int | None:
    """What a call cost, in billionths of a US dollar, half of one rounded up; None if its model has no price."""
    price = prices.get(model or "", prices.get(ANY_MODEL))
    if price is None:
        return None
    cached = min(usage.cached, usage.prompt)
    exact = (usage.prompt - cached) * _fine(price.input) + usage.completion * _fine(price.output)
    if cached:
        exact += cached * _fine(price.input if price.cached_input is None else price.cached_input)
    return (exact + FINE // 2) // FINE


@lru_cache(maxsize=1_024)
def _fine(price: float) -> int:
    """A token's price in fractions of a billionth of a dollar."""
    # By way of text, because 0.1 as a number is not quite the 0.1 that was written.
    return int((Decimal(str(price)) * NANO_DOLLARS_A_TOKEN * FINE).to_integral_value(ROUND_HALF_UP))
