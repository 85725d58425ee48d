"""record: the outermost policy; every call that reached an API leaves one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.call import Call, EndCallback, Reply

if TYPE_CHECKING:
    from gateway.pipeline import Next


class Record:
    """Has the request log told how the call ended."""

    def __init__(self, log_request: EndCallback) -> None:
        self._log_request = log_request

    async def __call__(self, call: Call, next: Next) -> Reply:
        call.on_end(self._log_request)
        return await next(call)
