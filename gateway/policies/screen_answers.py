"""screen answers: nothing reaches the backend, nor comes back from it, before it is known to be clean."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.call import Call, Reply
from gateway.errors import CallerError
from gateway.safety.answers.replies import screened_reply

if TYPE_CHECKING:
    from gateway.pipeline import Next


class ScreenAnswers:
    """Waits for `call.screening`, and raises what it raises; then has the answer screened, if that is wanted."""

    async def __call__(self, call: Call, next: Next) -> Reply:
        if call.screening is not None:
            await screened(call.screening)
        reply = await next(call)
        if call.answer_screening is None:
            return reply
        return await screened_reply(call, reply, call.answer_screening)


async def screened(screening: asyncio.Task[None]) -> None:
    """Wait for a screening that others wait for too. Raises what it raises, CallerError if the caller has left."""
    await asyncio.wait([screening])
    if screening.cancelled():
        # Whoever shares the call asks by itself.
        raise CallerError("CallerDisconnected")
    screening.result()
