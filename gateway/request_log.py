"""One structured line a request. Never a key, never a prompt, never an answer: names, counts and times."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime

from gateway.call import Call, Outcome

log = logging.getLogger("gateway.request")

MAXIMUM_MODEL_CHARACTERS = 200


_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def log_request(call: Call, outcome: Outcome) -> None:
    """Write the line. `gatewayMilliseconds` is the total less the time spent waiting for the backend."""
    if log.isEnabledFor(logging.INFO):
        # Made by hand, because `log.info` walks the stack for the place it was called from, which is always this one.
        log.handle(logging.LogRecord(log.name, logging.INFO, "", 0, _encode(_fields(call, outcome)), None, None))


def _fields(call: Call, outcome: Outcome) -> dict[str, object]:
    total = time.perf_counter() - call.started
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "requestId": call.request_id,
        "method": call.method,
        "api": call.entry.api.name if call.entry else None,
        "operation": call.operation.name if call.operation else None,
        "subscription": call.caller.subscription,
        "product": call.caller.product.name if call.caller.product else None,
        "model": _model(call),
        "status": outcome.status,
        "code": outcome.code,
        "milliseconds": round(total * 1000, 2),
        "gatewayMilliseconds": round(max(0.0, total - call.backend_seconds) * 1000, 2),
        "bytesReceived": call.body.received_bytes,
        "bytesSent": outcome.bytes_sent,
        "stream": outcome.streamed,
        "aborted": outcome.aborted,
    }


def _model(call: Call) -> str | None:
    model = call.document.get("model") if call.document else None
    if model is None and call.operation is not None:
        model = call.operation.deployment
    return model[:MAXIMUM_MODEL_CHARACTERS] if isinstance(model, str) else None
