"""screen answers: nothing reaches the backend before the request is known to be clean."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.call import Call, Reply
from gateway.errors import CallerError

if TYPE_CHECKING:
    from gateway.pipeline import Next


class ScreenAnswers:
    """Waits for `call.screening`, and raises what it raises."""

    async def __call__(self, call: Call, next: Next) -> Reply:
        if call.screening is not None:
            await screened(call.screening)
        return await next(call)


async def screened(screening: asyncio.Task[None]) -> None:
    """Wait for a screening that others wait for too. Raises what it raises, CallerError if the caller has left."""
    await asyncio.wait([screening])
    if screening.cancelled():
        # Whoever shares the call asks by itself.
        raise CallerError("CallerDisconnected")
    screening.result()
