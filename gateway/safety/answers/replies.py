"""Screens a reply: a whole one before it goes on, a stream as it goes."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.call import Call, Reply, SafetyNote, close_body, first_value
from gateway.errors import PolicyError
from gateway.llm.endings import Ending
from gateway.llm.frame_reader import CONTENT_TYPE as FRAMES
from gateway.llm.json_values import json_in
from gateway.llm.tokens import Protocol
from gateway.safety.answers.parts import EventParts, FrameParts, Parts
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

# These answer with numbers.
WITHOUT_TEXT = (Protocol.EMBEDDINGS,)
TEXT_TYPES = (b"json", b"text/", b"xml", FRAMES)


async def screened_reply(call: Call, reply: Reply, screening: AnswerScreening) -> Reply:
    """The reply, of which no more can be read than is clean. Raises PolicyError and UnavailableError."""
    if reply.status >= 300 or call.method == "HEAD" or call.protocol in WITHOUT_TEXT:
        return reply
    if call.protocol is None and not _is_text(reply):
        # Files and media. Models answer in words.
        return reply
    if call.safety is None:
        call.safety = SafetyNote("known")
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
    if first_value(reply.headers, b"content-encoding") not in (None, b"identity"):
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
    text = await _text_of(reply.body, parts)
    if text is None:
        return screening.not_readable(note, "unreadable")
    try:
        return await screening.check(text, note)
    except PolicyError:
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


def _note_usage(call: Call, reply: Reply, content: bytes) -> None:
    """It was made, and is paid for, although nobody gets it."""
    if call.reader is not None:
        reader = call.reader.of_pieces(reply.headers)
        reader.take_whole(content)
        reader.sent_bytes = len(content)


async def _text_of(content: bytes, parts: Parts | None) -> str | None:
    """All that an answer says; None if it nests too deeply."""
    if len(content) > LONGEST_READ_AT_ONCE_BYTES:
        return await asyncio.to_thread(_text, content, parts)
    return _text(content, parts)


def _text(content: bytes, parts: Parts | None) -> str | None:
    # Without an end, a window is all there is.
    all_of_it = Windows(0, 0)
    try:
        for texts in _of_parts(parts, content) if parts is not None else map(said, _documents(content)):
            all_of_it.add(b"", texts)
    except TooDeep:
        return None
    return all_of_it.text()


def _of_parts(parts: Parts, content: bytes) -> Any:
    for part in (*parts.feed(content), *parts.rest()):
        if part.is_unreadable:
            raise TooDeep
        yield part.texts


def _documents(content: bytes) -> list[Any]:
    """A JSON document, the elements of a list, the lines of JSON lines, or the text that it is."""
    document = json_in(content)
    if document is None:
        lines = [json_in(line) for line in content.splitlines() if line.strip()]
        return [content.decode(errors="replace")] if None in lines else lines
    return document if isinstance(document, list) else [document]
