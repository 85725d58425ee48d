"""A streamed answer of which only what is clean goes on, byte for byte as it came."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from gateway.call import SafetyNote, close_body
from gateway.errors import GatewayError, PolicyError
from gateway.llm.endings import Ending
from gateway.safety.answers.parts import Part, Parts
from gateway.safety.answers.screening import AnswerScreening

# To look for the parts of more at once would keep everybody else waiting.
LONGEST_READ_AT_ONCE_BYTES = 256 * 1024


class ScreenedStream:
    """The pieces of a reply's body. The stream is read no further while a window of it is screened.

    After a violation come the last words of the stream's protocol, then the PolicyError; after a failure that may not
    be passed by, an UnavailableError. The backend's answer is closed by then.
    """

    def __init__(
        self, body: AsyncIterator[bytes], parts: Parts, screening: AnswerScreening, note: SafetyNote, ending: Ending
    ) -> None:
        self._body = body
        self._parts = parts
        self._screening = screening
        self._windows = screening.windows()
        self._note = note
        self._ending = ending
        self._waiting: deque[Part] = deque()
        self._is_last = False
        self._is_read = False
        self._unparted = 0
        self._error: GatewayError | None = None

    def __aiter__(self) -> ScreenedStream:
        return self

    async def __anext__(self) -> bytes:
        while True:
            is_due = self._is_due()
            if (is_due or not self._waiting) and (ready := self._windows.take_ready()):
                return ready
            if is_due:
                if last_words := await self._screen():
                    return last_words
            elif self._waiting:
                await self._add(self._waiting.popleft())
            elif self._is_read:
                raise self._end()
            else:
                await self._read()

    async def aclose(self) -> None:
        """No more is wanted."""
        self._stop()
        await close_body(self._body)

    def _is_due(self) -> bool:
        """Whether what is held must be screened before anything else."""
        windows = self._windows
        is_over = self._is_last or (self._is_read and not self._waiting)
        characters = self._waiting[0].characters if self._waiting else 1
        return (is_over and windows.holds_something) or not windows.has_room_for(characters)

    async def _screen(self) -> bytes:
        try:
            await self._screening.check(self._windows.text(), self._note)
        except GatewayError as error:
            await self._fail(error)
            return self._ending.filtered() if isinstance(error, PolicyError) else b""
        self._windows.release()
        self._ending.sent()
        return b""

    async def _add(self, part: Part) -> None:
        self._is_last = part.is_last
        self._ending.see(part.document)
        try:
            if part.is_unreadable:
                self._screening.not_readable(self._note, "unreadable")
            self._windows.add(part.raw, part.texts)
            if self._windows.is_overfull:
                self._screening.not_readable(self._note, "too-long")
                self._windows.release_all()
            if not self._windows.holds_something:
                self._ending.sent()
        except GatewayError as error:
            await self._fail(error)

    async def _read(self) -> None:
        try:
            piece = await anext(self._body)
            self._waiting.extend(await self._parts_of(piece))
            return
        except StopAsyncIteration:
            pass
        except GatewayError as error:
            # It broke off. What has come by then is its caller's all the same.
            self._error = error
        self._is_read = True
        self._waiting.extend(self._parts.rest())

    async def _parts_of(self, piece: bytes) -> list[Part]:
        self._unparted += len(piece)
        fed = self._parts.feed(piece)
        is_long = self._unparted > LONGEST_READ_AT_ONCE_BYTES
        parts = await asyncio.to_thread(list, fed) if is_long else list(fed)
        if parts:
            self._unparted = 0
        return parts

    async def _fail(self, error: GatewayError) -> None:
        self._error = error
        await self.aclose()

    def _stop(self) -> None:
        self._is_read = True
        self._waiting.clear()
        self._windows.drop()

    def _end(self) -> Exception:
        error, self._error = self._error, None
        return StopAsyncIteration() if error is None else error
