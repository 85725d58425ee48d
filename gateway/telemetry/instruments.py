"""Every instrument there is. `docs/metrics.md` describes each, and a test compares the two."""

from __future__ import annotations

from gateway.llm.usage import Usage
from gateway.telemetry.aggregates import Instrument

METER = "gateway"

# The names and boundaries of the next three are those of OpenTelemetry's conventions for generative AI:
# https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/
TOKEN_USAGE = Instrument(
    METER,
    "gen_ai.client.token.usage",
    "{token}",
    "Number of input and output tokens used.",
    tuple(4**exponent for exponent in range(14)),
)
REQUEST_DURATION = Instrument(
    METER,
    "gen_ai.server.request.duration",
    "s",
    "From the arrival of a request to the last byte of its answer.",
    tuple(round(0.01 * 2**exponent, 2) for exponent in range(14)),
)
TIME_TO_FIRST_TOKEN = Instrument(
    METER,
    "gen_ai.server.time_to_first_token",
    "s",
    "From the arrival of a request to the first byte of its streamed answer.",
    (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
REFUSALS = Instrument(METER, "gateway.refusals", "{call}", "Calls that a policy refused, by limits or for their keys.")
LEDGER_UNAVAILABLE = Instrument(
    METER, "gateway.ledger.unavailable", "{event}", "Times that a limit could not be checked with storage."
)
CONTENT_SAFETY = Instrument(
    METER, "gateway.content_safety", "{call}", "Calls that were screened by content safety, by what came of it."
)
CONTENT_SAFETY_DURATION = Instrument(
    METER,
    "gateway.content_safety.duration",
    "s",
    "How long the screening of a request took, where the service was asked.",
    (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0),
)

CACHE_CALLS = Instrument(
    METER, "gateway.cache.calls", "{call}", "Calls to APIs with a semantic cache, by what came of it."
)
EMBEDDING_DURATION = Instrument(
    METER,
    "gateway.cache.embedding.duration",
    "s",
    "How long the embeddings of questions took.",
    (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
)
EMBEDDING_TOKENS = Instrument(
    METER, "gateway.cache.embedding.tokens", "{token}", "Tokens that the embeddings of questions were charged with."
)

OWN_INSTRUMENTS = (
    *(TOKEN_USAGE, REQUEST_DURATION, TIME_TO_FIRST_TOKEN, REFUSALS, LEDGER_UNAVAILABLE),
    *(CACHE_CALLS, EMBEDDING_DURATION, EMBEDDING_TOKENS),
    *(CONTENT_SAFETY, CONTENT_SAFETY_DURATION),
)

# In the order of `token_figures`. The names are API Management's.
TOKEN_NAMES = ("Total Tokens", "Prompt Tokens", "Completion Tokens", "Cached Tokens", "Reasoning Tokens")


def token_instruments(namespace: str) -> tuple[Instrument, ...]:
    """The counters of `tokenMetrics` in one namespace."""
    return tuple(Instrument(namespace, name, "{token}", f"{name} of language model calls.") for name in TOKEN_NAMES)


def token_figures(usage: Usage) -> tuple[int, ...]:
    """What each of them counts for one call."""
    return (usage.total, usage.prompt, usage.completion, usage.cached, usage.reasoning)
