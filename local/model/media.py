"""POST /images/* and /audio/*: the smallest valid picture and sound, and a text about what was sent."""

from __future__ import annotations

import base64
import io
import struct
import time
import wave
import zlib
from email.message import Message
from email.parser import BytesParser

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from local.model.errors import ModelError
from local.model.reading import MOST_CHOICES, missing, model_of, read_object, whole_number

SAMPLES_PER_SECOND = 8_000
SECONDS_OF_SPEECH = 0.1


async def generate_images(request: Request) -> Response:
    """`n` pictures of one grey pixel."""
    body = await read_object(request)
    if not isinstance(body.get("prompt"), str):
        raise missing("prompt")
    return _pictures(whole_number(body, "n", maximum=MOST_CHOICES) or 1)


async def edit_image(request: Request) -> Response:
    """One such picture for the one that was sent."""
    form = await _read_form(request)
    if "image" not in form and "image[]" not in form:
        raise missing("image")
    return _pictures(1)


async def speak(request: Request) -> Response:
    """A tenth of a second of silence, as WAV whatever format was asked for."""
    body = await read_object(request)
    model_of(request, body)
    if not isinstance(body.get("input"), str):
        raise missing("input")
    return Response(_silence(), media_type="audio/wav")


async def transcribe(request: Request) -> Response:
    """A text that says which file arrived and how long it was."""
    parts = await _read_form(request)
    fields = {name: _content(part).decode(errors="replace") for name, part in parts.items() if name != "file"}
    model_of(request, fields)
    if "file" not in parts:
        raise missing("file")
    text = f"Heard {len(_content(parts['file']))} bytes of {parts['file'].get_filename('a file')}."
    if fields.get("response_format") == "text":
        return PlainTextResponse(text + "\n")
    return JSONResponse({"text": text})


async def _read_form(request: Request) -> dict[str, Message]:
    """The parts of a multipart body by name. The standard library reads them; Starlette would need another package."""
    content_type = request.headers.get("content-type", "")
    if not content_type.startswith("multipart/form-data"):
        raise ModelError(400, "The body must be multipart/form-data.")
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    form = BytesParser().parsebytes(head + await request.body())
    parts = [part for part in form.walk() if not part.is_multipart()]
    return {str(part.get_param("name", header="content-disposition")): part for part in parts}


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _pictures(count: int) -> Response:
    picture = {"b64_json": base64.b64encode(_pixel()).decode()}
    return JSONResponse({"created": int(time.time()), "data": [picture] * count})


def _pixel() -> bytes:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\x00\x80")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def _silence() -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLES_PER_SECOND)
        sound.writeframes(bytes(2 * int(SAMPLES_PER_SECOND * SECONDS_OF_SPEECH)))
    return target.getvalue()
