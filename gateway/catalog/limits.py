"""What may be used and what it costs, as people write it: token limits, rate limits, budgets, prices, token metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints, model_validator

from gateway.catalog.base import Model
from gateway.catalog.counter_keys import check_counter_key, parse_counter_key
from gateway.catalog.dimensions import Dimensions
from gateway.catalog.fields import HeaderName, check_printable, write_number

Period = Literal["Hourly", "Daily", "Weekly", "Monthly", "Yearly"]
OnUnavailable = Literal["allow", "deny"]

MOST_ENTRIES = 10
MOST_PRICES = 1_000
# The gateway sets these itself, or the message would not arrive.
OWN_HEADERS = frozenset(
    {"x-request-id", "cache-control", "date", "location", "server", "set-cookie", "vary", "www-authenticate"}
)
OWN_PREFIXES = ("x-ratelimit-", "content-", "access-control-", "x-ms-")


def check_answer_header(name: str) -> str:
    """The name of a header that a policy adds to answers."""
    if name.lower() in OWN_HEADERS or name.lower().startswith(OWN_PREFIXES):
        raise ValueError(f'must not be "{name}", which has a meaning of its own')
    return name


AnswerHeader = Annotated[HeaderName, AfterValidator(check_answer_header)]
CounterKey = Annotated[str, StringConstraints(max_length=400), AfterValidator(check_counter_key)]
TokenCount = Annotated[int, Field(ge=1, le=10**15)]
Number = PlainSerializer(write_number, return_type=float | int)
SMALLEST_DOLLARS = 1e-9


def check_counted(dollars: float) -> float:
    """An amount that can be counted, in billionths of a dollar."""
    if 0 < dollars < SMALLEST_DOLLARS:
        raise ValueError("must be at least 0.000000001, the billionth of a dollar in which budgets are counted")
    return dollars


Dollars = Annotated[float, Field(gt=0, le=1_000_000_000), AfterValidator(check_counted), Number]
PriceOfMillion = Annotated[float, Field(ge=0, le=1_000_000), Number]


class TokenLimit(Model):
    """`llm-token-limit`: tokens a minute, tokens in a period, or both."""

    counter_key: CounterKey
    tokens_per_minute: TokenCount | None = None
    token_quota: TokenCount | None = None
    token_quota_period: Period | None = None
    estimate_prompt_tokens: bool
    reserve: Literal["prompt", "prompt+max_tokens"] = "prompt"
    remaining_tokens_header_name: AnswerHeader | None = None
    tokens_consumed_header_name: AnswerHeader | None = None
    remaining_quota_tokens_header_name: AnswerHeader | None = None
    retry_after_header_name: AnswerHeader = "Retry-After"
    on_unavailable: OnUnavailable = "allow"
    on_disconnect: Literal["stop", "drain"] = "stop"

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.tokens_per_minute is None and self.token_quota is None:
            raise ValueError("must have tokensPerMinute, tokenQuota or both")
        if (self.token_quota is None) != (self.token_quota_period is None):
            raise ValueError("must have tokenQuota and tokenQuotaPeriod together")
        return self

    @model_validator(mode="after")
    def _names_headers_once(self) -> Self:
        names = (
            self.remaining_tokens_header_name,
            self.tokens_consumed_header_name,
            self.remaining_quota_tokens_header_name,
            self.retry_after_header_name,
        )
        twice = [name for name, count in Counter(name.lower() for name in names if name).items() if count > 1]
        if twice:
            raise ValueError(f"must not give the header {twice[0]} two meanings")
        return self


class RateLimit(Model):
    """`rate-limit-by-key`: calls in any span of `renewalPeriod` seconds."""

    counter_key: CounterKey
    calls: TokenCount
    renewal_period: Annotated[int, Field(ge=1, le=86_400)] = 60
    retry_after_header_name: AnswerHeader = "Retry-After"
    on_unavailable: OnUnavailable = "allow"


class Budget(Model):
    """US dollars in a period."""

    counter_key: CounterKey
    usd: Dollars
    period: Period
    on_exceeded: Literal["stop", "finish"] = "stop"
    on_unavailable: OnUnavailable = "allow"


class Price(Model):
    """US dollars a million tokens. Without `cachedInput`, cached tokens cost as much as the others."""

    input: PriceOfMillion
    cached_input: PriceOfMillion | None = None
    output: PriceOfMillion = 0.0


class TokenMetrics(Model):
    """`llm-emit-token-metric`: what the token metrics are told apart by."""

    namespace: Annotated[str, StringConstraints(max_length=300), AfterValidator(check_printable)] = "llm"
    dimensions: Dimensions = Field(default_factory=dict)


def _as_list(value: Any) -> Any:
    if isinstance(value, dict | Model):
        return [value]
    if not isinstance(value, list | tuple):
        raise ValueError("must be a mapping of fields, or a list of them")
    return value


def _as_written(items: tuple[Model, ...]) -> Any:
    written = [item.to_json() for item in items]
    return written[0] if len(written) == 1 else written


def check_token_limits(limits: tuple[TokenLimit, ...]) -> tuple[TokenLimit, ...]:
    """No two on the same counter in the same window."""
    _check_once((each.counter_key, "a minute") for each in limits if each.tokens_per_minute)
    _check_once((each.counter_key, each.token_quota_period) for each in limits if each.token_quota_period)
    return limits


def check_rate_limits(limits: tuple[RateLimit, ...]) -> tuple[RateLimit, ...]:
    """No two on the same counter in the same window."""
    _check_once((each.counter_key, f"{each.renewal_period} s") for each in limits)
    return limits


def check_budgets(budgets: tuple[Budget, ...]) -> tuple[Budget, ...]:
    """No two on the same counter in the same window."""
    _check_once((each.counter_key, each.period) for each in budgets)
    return budgets


def _check_once(places: Iterable[tuple[str, str]]) -> None:
    seen = set()
    for key, window in places:
        # Parsed, because the case of a header's name makes no other counter.
        place = (parse_counter_key(key), window)
        if place in seen:
            raise ValueError(f"must not have two limits on {key} with the same window, {window}")
        seen.add(place)


Entries = Field(strict=False, max_length=MOST_ENTRIES)
OneOrMore = BeforeValidator(_as_list)
Written = PlainSerializer(_as_written)

TokenLimits = Annotated[tuple[TokenLimit, ...], Entries, OneOrMore, AfterValidator(check_token_limits), Written]
RateLimits = Annotated[tuple[RateLimit, ...], Entries, OneOrMore, AfterValidator(check_rate_limits), Written]
Budgets = Annotated[tuple[Budget, ...], Entries, OneOrMore, AfterValidator(check_budgets), Written]
ModelName = Annotated[str, StringConstraints(max_length=200), AfterValidator(check_printable)]
Prices = Annotated[Mapping[ModelName, Price], Field(max_length=MOST_PRICES)]


class Limits(Model):
    """What an API, a product and the gateway can all limit."""

    token_limit: TokenLimits = ()
    rate_limit: RateLimits = ()
    budget: Budgets = ()
    token_metrics: TokenMetrics | None = None
