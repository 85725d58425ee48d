"""Server-sent events. Each is one message to ASGI, and so one flush."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from starlette.responses import StreamingResponse

DONE = "data: [DONE]\n\n"


def event(data: dict[str, Any], name: str | None = None) -> str:
    """One event."""
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


def event_stream(events: Iterable[str]) -> StreamingResponse:
    """The answer that sends these events one by one."""
    return StreamingResponse(_one_by_one(events), media_type="text/event-stream")


async def _one_by_one(events: Iterable[str]) -> AsyncIterator[str]:
    # Given a plain iterable, Starlette would ask a thread for each event.
    for item in events:
        yield item
