"""Screens a reply: a whole one before it goes on, a stream as it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from email.message import Message
from typing import Any

from gateway.call import Call, Reply, SafetyNote, close_body, first_value, is_compressed
from gateway.errors import GatewayError, PolicyError
from gateway.llm.endings import Ending
from gateway.llm.frame_reader import CONTENT_TYPE as FRAMES
from gateway.safety.answers.parts import EventParts, FrameParts, Parts
from gateway.safety.answers.reading import documents_of
from gateway.safety.answers.said import TooDeep, said
from gateway.safety.answers.screening import AnswerScreening
from gateway.safety.answers.stream import ScreenedStream
from gateway.safety.answers.windows import Windows
from gateway.safety.refusal import mark
from gateway.whole_body import read_whole_body

# A longer answer is not screened, which is as good as a failure.
LONGEST_BYTES = 32 * 1024 * 1024
# To read a longer one would keep everybody else waiting.
LONGEST_READ_AT_ONCE_BYTES = 256 * 1024

TEXT_TYPES = (b"json", b"text/", b"xml", b"multipart/", FRAMES)

IN_UTF_8 = ("utf-8", "utf8", "us-ascii", "ascii")


async def screened_reply(call: Call, reply: Reply, screening: AnswerScreening) -> Reply:
    """The reply, of which no more can be read than is clean. Raises PolicyError and UnavailableError."""
    if reply.status >= 300 or call.method == "HEAD":
        return reply
    if call.protocol is None and not _is_text(reply):
        # Files and media. Models answer in words.
        return reply
    if call.safety is None:
        call.safety = SafetyNote("known")
    reply.safety = call.safety
    try:
        is_screened = await _screen(call, reply, screening, call.safety)
    except BaseException:
        if not isinstance(reply.body, bytes):
            await close_body(reply.body)
        raise
    if not is_screened:
        mark(reply)
    return reply


async def _screen(call: Call, reply: Reply, screening: AnswerScreening, note: SafetyNote) -> bool:
    """False if it passes although it could not be screened."""
    if is_compressed(reply.headers):
        return screening.not_readable(note, "compressed")
    if not _is_text(reply):
        return screening.not_readable(note, "no-text")
    parts = _parts(reply)
    if not isinstance(reply.body, bytes):
        if parts is not None:
            reply.body = ScreenedStream(reply.body, parts, screening, note, Ending(call.protocol))
            return True
        reply.body = await read_whole_body(reply.body, LONGEST_BYTES)
        if not isinstance(reply.body, bytes):
            return screening.not_readable(note, "too-long")
    text = await _text_of(reply.body, parts, _charset(reply))
    try:
        if text is None:
            return screening.not_readable(note, "unreadable")
        return await screening.check(text, note)
    except GatewayError as error:
        if text is None or isinstance(error, PolicyError):
            _note_usage(call, reply, reply.body)
        raise


def _is_text(reply: Reply) -> bool:
    kind = (first_value(reply.headers, b"content-type") or b"text/").lower()
    return any(text_type in kind for text_type in TEXT_TYPES)


def _parts(reply: Reply) -> Parts | None:
    if reply.is_event_stream:
        return EventParts()
    kind = (first_value(reply.headers, b"content-type") or b"").lower()
    return FrameParts() if kind.startswith(FRAMES) else None


def _charset(reply: Reply) -> str:
    message = Message()
    message["content-type"] = (first_value(reply.headers, b"content-type") or b"").decode("latin-1")
    return message.get_content_charset("utf-8")


def _note_usage(call: Call, reply: Reply, content: bytes) -> None:
    """It was made, and is paid for, although nobody gets it, for what it says and not for a failure of the service."""
    if call.reader is not None:
        call.reader.is_withheld = True
        reader = call.reader.of_pieces(reply.headers)
        reader.take_whole(content)
        reader.sent_bytes = len(content)


async def _text_of(content: bytes, parts: Parts | None, charset: str) -> str | None:
    """All that an answer says; None if it nests too deeply, or is written in nobody knows what."""
    if len(content) > LONGEST_READ_AT_ONCE_BYTES:
        return await asyncio.to_thread(_text, content, parts, charset)
    return _text(content, parts, charset)


def _text(content: bytes, parts: Parts | None, charset: str) -> str | None:
    # Without an end, a window is all there is.
    all_of_it = Windows(0, 0)
    try:
        for texts in _of_parts(parts, content) if parts is not None else map(said, _documents(content, charset)):
            all_of_it.add(b"", texts)
    except (TooDeep, LookupError, UnicodeError):
        return None
    return all_of_it.text()


def _of_parts(parts: Parts, content: bytes) -> Iterable[Any]:
    for part in (*parts.feed(content), *parts.rest()):
        if part.is_unreadable:
            raise TooDeep
        yield part.texts


def _documents(content: bytes, charset: str) -> Sequence[Any]:
    if charset not in IN_UTF_8:
        content = content.decode(charset, errors="replace").encode(errors="replace")
    return documents_of(content)
