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


def cost(prices: Mapping[str, Price], model: str | None, usage: Usage) -> int | None:
    """What a call cost, in billionths of a US dollar, half of one rounded up; None if its model has no price.

    Without a price of their own, cached tokens of the prompt cost as much as the others.
    """
    price = prices.get(model or "", prices.get(ANY_MODEL))
    if price is None:
        return None
    cached = min(usage.cached, usage.prompt)
    exact = (
        (usage.prompt - cached) * _for_one_token(price.input)
        + cached * _for_one_token(price.input if price.cached_input is None else price.cached_input)
        + usage.completion * _for_one_token(price.output)
    )
    return int(exact.to_integral_value(ROUND_HALF_UP))


@lru_cache(maxsize=1_024)
def _for_one_token(price: float) -> Decimal:
    # By way of text, because 0.1 as a number is not quite the 0.1 that was written.
    return Decimal(str(price)) * NANO_DOLLARS_A_TOKEN
