"""Reads the body of an answer to its end, unless that is too far."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator

from gateway.call import close_body


async def read_whole_body(body: AsyncIterator[bytes], longest: int) -> bytes | AsyncIterator[bytes]:
    """All of it, closed; or, if there are more bytes than `longest`, the same body as if nothing had been read.

    Raises what reading raises, and has closed it then.
    """
    pieces: list[bytes] = []
    size = 0
    try:
        async for piece in body:
            pieces.append(piece)
            size += len(piece)
            if size > longest:
                return _Resumed(pieces, body)
    except BaseException:
        await close_body(body)
        raise
    await close_body(body)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _Resumed:
    """A body of which the beginning has been read."""

    __slots__ = ("_beginning", "_rest")

    def __init__(self, beginning: list[bytes], rest: AsyncIterator[bytes]) -> None:
        self._beginning = deque(beginning)
        self._rest = rest

    def __aiter__(self) -> _Resumed:
        return self

    async def __anext__(self) -> bytes:
        return self._beginning.popleft() if self._beginning else await anext(self._rest)

    async def aclose(self) -> None:
        await close_body(self._rest)
