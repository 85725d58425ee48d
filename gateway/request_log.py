"""One structured line a request. Never a key, never a prompt, never an answer: names, counts and times."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime
from functools import lru_cache

from gateway.call import CacheNote, Call, Outcome, SafetyNote
from gateway.llm.model_names import shown_model
from gateway.llm.usage import Usage

log = logging.getLogger("gateway.request")


def log_request(call: Call, outcome: Outcome) -> None:
    """Write the line. `gatewayMilliseconds` is the total less the time spent waiting for the backend and the caller."""
    if log.isEnabledFor(logging.INFO):
        # Made by hand, because `log.info` walks the stack for the place it was called from, which is always this one.
        log.handle(logging.LogRecord(log.name, logging.INFO, "", 0, _line(call, outcome), None, None))


def _line(call: Call, outcome: Outcome) -> str:
    # Put together as text: encoding a dictionary takes three times as long, and this is on every call's path.
    # A request id needs no escapes: `app.py` lets none through that would.
    total = time.perf_counter() - call.started
    own = max(0.0, total - call.backend_seconds - call.caller_seconds)
    product = call.caller.product
    return (
        f'{{"time":"{datetime.now(UTC).isoformat(timespec="milliseconds")}"'
        f',"requestId":"{call.request_id}"'
        f',"method":{_text(call.method)}'
        f',"api":{_text(call.entry.api.name if call.entry else None)}'
        f',"operation":{_text(call.operation.name if call.operation else None)}'
        f',"subscription":{_text(call.caller.subscription)}'
        f',"product":{_text(product.name if product else None)}'
        f',"model":{_text(shown_model(call))}'
        f"{_tokens(call.usage)}"
        f',"status":{outcome.status}'
        f',"code":{_text(outcome.code)}'
        f',"milliseconds":{total * 1000:.2f}'
        f',"gatewayMilliseconds":{own * 1000:.2f}'
        f',"bytesReceived":{call.body.received_bytes}'
        f',"bytesSent":{outcome.bytes_sent}'
        f',"stream":{"true" if outcome.streamed else "false"}'
        f',"aborted":{"true" if outcome.aborted else "false"}'
        f"{_cache(call.cache)}{_safety(call.safety)}}}"
    )


def _tokens(usage: Usage | None) -> str:
    """What the backend reported, or null: an answer of 0 tokens is something else than one that said nothing."""
    if usage is None:
        return ',"promptTokens":null,"completionTokens":null,"cachedTokens":null,"reasoningTokens":null'
    return (
        f',"promptTokens":{usage.prompt},"completionTokens":{usage.completion}'
        f',"cachedTokens":{usage.cached},"reasoningTokens":{usage.reasoning}'
    )


def _cache(note: CacheNote | None) -> str:
    """Nothing where no cache applies."""
    if note is None:
        return ""
    took = "null" if note.embedding_seconds is None else f"{note.embedding_seconds * 1000:.2f}"
    return (
        f',"cache":{_text(note.status)},"cacheWouldBe":{_text(note.would_be)},"cacheId":{_text(note.id)}'
        f',"cacheDistance":{"null" if note.distance is None else f"{note.distance:.4f}"}'
        f',"embeddingTokens":{note.embedding_tokens},"embeddingMilliseconds":{took}'
    )


def _safety(note: SafetyNote | None) -> str:
    """Nothing where nothing screens."""
    if note is None:
        return ""
    return f',"contentSafety":{_text(note.status)},"contentSafetyMilliseconds":{note.seconds * 1000:.2f}'


@lru_cache(maxsize=2_048)
def _text(text: str | None) -> str:
    """A JSON string. Nearly all of them come again and again; those that do not push each other out."""
    return json.dumps(text)
