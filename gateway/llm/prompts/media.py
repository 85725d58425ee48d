"""Images, audio and files: what they cost, by their makers' published formulas. Base64 is never counted as text."""

from __future__ import annotations

import base64
import binascii
import io
import math
from collections.abc import Callable
from dataclasses import dataclass

# Enough for the header of a picture; of a JPEG, whose size may stand behind an embedded preview, most of the time.
HEADER_BYTES = 192 * 1024
PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")

# What is assumed of a picture that cannot be looked at, because it is somewhere else.
UNKNOWN_SIZE = (1024, 1024)

# Audio, in bytes a second: 16-bit samples at 24 kHz, and what MP3 and its like take at 128 kbit/s.
WAVE_BYTES_A_SECOND = 48_000
COMPRESSED_BYTES_A_SECOND = 16_000

# A page of a PDF is some 75 KB, and 1,500 to 3,000 tokens (Anthropic, "PDF support").
FILE_BYTES_A_TOKEN = 25

SizeFormula = Callable[[int, int, str], int]


@dataclass(frozen=True, slots=True)
class Images:
    """One maker's formula: width and height in pixels, and the detail asked for, to tokens."""

    formula: SizeFormula

    def inline(self, data: str, detail: str = "auto") -> int:
        """The tokens of a picture given as base64."""
        return self.formula(*picture_size(data), detail)

    def at_url(self, url: str, detail: str = "auto") -> int:
        """The tokens of a picture given as a URL; its size is known if it is a `data:` URL."""
        if url.startswith("data:"):
            return self.inline(url.partition(",")[2], detail)
        return self.formula(*UNKNOWN_SIZE, detail)


def picture_size(data: str) -> tuple[int, int]:
    """Width and height of a picture in base64, from its header; `UNKNOWN_SIZE` if that cannot be read."""
    import imagesize  # type: ignore[import-untyped]

    head = decoded(data, HEADER_BYTES)
    # The library would also read SVG and others, which no model takes.
    if not head.startswith(PICTURES):
        return UNKNOWN_SIZE
    try:
        width, height = imagesize.get(io.BytesIO(head))
    except (ValueError, OSError):
        return UNKNOWN_SIZE
    return (width, height) if width > 0 and height > 0 else UNKNOWN_SIZE


def decoded(data: str, limit: int) -> bytes:
    """The first bytes of base64; nothing if it is none."""
    text = data[: (limit + 2) // 3 * 4]
    try:
        return base64.b64decode(text[: len(text) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        return b""


def base64_bytes(data: str) -> int:
    """How many bytes base64 stands for."""
    return len(data) * 3 // 4


def audio_seconds(data: str, form: str) -> float:
    """How long a recording in base64 is, from its size."""
    rate = WAVE_BYTES_A_SECOND if form in ("wav", "pcm16") else COMPRESSED_BYTES_A_SECOND
    return base64_bytes(data) / rate


def file_tokens(data: str) -> int:
    """A document in base64, by its size."""
    return math.ceil(base64_bytes(data) / FILE_BYTES_A_TOKEN)
