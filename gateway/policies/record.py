"""record: the outermost policy; of every call that reached an API it is told how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.call import Call, EndCallback, Reply

if TYPE_CHECKING:
    from gateway.pipeline import Next


class Record:
    """Has the request log, the usage rows and the metrics told how the call ended."""

    def __init__(self, recorders: Sequence[EndCallback]) -> None:
        self._recorders = recorders

    async def __call__(self, call: Call, next: Next) -> Reply:
        for recorder in self._recorders:
            call.on_end(recorder)
        return await next(call)
