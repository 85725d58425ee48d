"""What callers are told of limits."""

import pytest

from gateway.ledger.meters import Calendar, Charge, Meter, Sliding
from gateway.ledger.refusals import LimitReached
from gateway.policies.limit_answers import duration, headers_of, refused
from gateway.policies.limit_rules import Kind, Rule

DURATIONS = {
    1: "1 second",
    53: "53 seconds",
    60: "1 minute",
    1293: "21 minutes and 33 seconds",
    3600: "1 hour",
    3661: "1 hour, 1 minute and 1 second",
    787_865: "9 days, 2 hours, 51 minutes and 5 seconds",
}


@pytest.mark.parametrize(("seconds", "words"), DURATIONS.items(), ids=DURATIONS.values())
def test_durations(seconds: int, words: str) -> None:
    """As API Management words them."""
    assert duration(seconds) == words


def rule(kind: Kind, limit: int = 100, **more: tuple[bytes, ...]) -> Rule:
    unit = {"calls": "calls", "budget": "usd"}.get(kind, "tokens")
    window = Sliding(60) if kind in ("tokens", "calls") else Calendar("Monthly")
    return Rule(kind, "k", lambda call: "k", Meter(unit, window), limit, deny=False, **more)  # type: ignore[arg-type]


REFUSALS: dict[Kind, tuple[int, str, str]] = {
    "tokens": (429, "token_limit_exceeded", "Token limit is exceeded. Try again in 53 seconds."),
    "quota": (403, "token_quota_exceeded", "Token quota is exceeded. Try again in 53 seconds."),
    "calls": (429, "rate_limit_exceeded", "Rate limit is exceeded. Try again in 53 seconds."),
    "budget": (403, "budget_exceeded", "Budget is exceeded. Try again in 53 seconds."),
}


@pytest.mark.parametrize(("kind", "expected"), REFUSALS.items(), ids=REFUSALS.keys())
def test_refusals(kind: Kind, expected: tuple[int, str, str]) -> None:
    """Status, code and message of each kind; the time is rounded up, for earlier would be too early."""
    refusing = rule(kind)
    error = refused(refusing, LimitReached(Charge("k", refusing.meter, 100, 5), 52.01))
    assert (error.status, error.code, error.message) == expected
    assert error.headers == {"Retry-After": "53"}


def test_a_moment_is_a_second() -> None:
    """`Retry-After: 0` would be an invitation to try at once."""
    refusing = rule("tokens")
    assert refused(refusing, LimitReached(Charge("k", refusing.meter, 100, 5), 0.0)).headers == {"Retry-After": "1"}


NEVER: dict[Kind, tuple[int, str, str]] = {
    "tokens": (
        429,
        "token_limit_exceeded",
        "Token limit is exceeded. This request needs 101 tokens, more than the whole limit of 100,",
    ),
    "quota": (
        429,
        "token_limit_exceeded",
        "Token quota is exceeded. This request needs 101 tokens, more than the whole quota of 100,",
    ),
    "budget": (403, "budget_exceeded", "Budget is exceeded. This prompt alone costs more than the whole budget,"),
}


@pytest.mark.parametrize(("kind", "expected"), NEVER.items(), ids=NEVER.keys())
def test_what_can_never_pass(kind: Kind, expected: tuple[int, str, str]) -> None:
    """No time to wait, a message that says so, and SDKs do not try again; for tokens it is 429, for a quota too."""
    refusing = rule(kind)
    error = refused(refusing, LimitReached(Charge("k", refusing.meter, 100, 101), None))
    status, code, beginning = expected
    assert (error.status, error.code) == (status, code)
    assert error.headers == {"x-should-retry": "false"}
    assert error.message.startswith(beginning)
    assert error.message.endswith("so it can never pass.")


SPANS = {0.0: "0ms", 0.1201: "121ms", 7.5: "7.5s", 59.9: "59.9s", 60.0: "1m0s", 359.2: "6m0s", 3612.0: "1h0m12s"}


@pytest.mark.parametrize(("seconds", "expected"), SPANS.items(), ids=SPANS.values())
def test_spans(seconds: float, expected: str) -> None:
    """As OpenAI's API writes them."""
    headers = dict(headers_of([(rule("tokens"), 5, seconds)]))
    assert headers[b"x-ratelimit-reset-tokens"].decode() == expected


def test_the_nearest_limit_is_told() -> None:
    """Of several the one with the least left; the limit a minute goes before a quota; each named header has its own."""
    standings = [
        (rule("quota", 1000, remaining_headers=(b"x-quota",)), 2, 9.0),
        (rule("tokens", 500, remaining_headers=(b"x-left",)), 40, 9.0),
        (rule("tokens", 300), 30, 9.0),
        (rule("calls", 7), 6, 9.0),
    ]
    assert dict(headers_of(standings)) == {
        b"x-ratelimit-limit-tokens": b"300",
        b"x-ratelimit-remaining-tokens": b"30",
        b"x-ratelimit-reset-tokens": b"9s",
        b"x-ratelimit-limit-requests": b"7",
        b"x-ratelimit-remaining-requests": b"6",
        b"x-ratelimit-reset-requests": b"9s",
        b"x-quota": b"2",
        b"x-left": b"40",
    }


def test_a_quota_alone_is_told_too() -> None:
    """Where there is no limit a minute."""
    assert dict(headers_of([(rule("quota", 1000), 2, 9.0)]))[b"x-ratelimit-limit-tokens"] == b"1000"
