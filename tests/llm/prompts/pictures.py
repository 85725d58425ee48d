"""Small pictures of any size: only their headers are true."""

import base64
import struct


def _encoded(data: bytes) -> str:
    # Without padding at its end, so that more may follow.
    return base64.b64encode(data + bytes(-len(data) % 3)).decode()


def png(width: int, height: int) -> str:
    """A PNG's beginning, in base64."""
    header = struct.pack(">II5B", width, height, 8, 2, 0, 0, 0)
    return _encoded(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + header + bytes(64))


def jpeg(width: int, height: int, preview: int = 0) -> str:
    """A JPEG's beginning, with an embedded preview of so many bytes before the frame header, in base64."""
    segments = b""
    while preview > 0:
        size = min(preview, 60_000)
        segments += b"\xff\xe1" + struct.pack(">H", size + 2) + bytes(size)
        preview -= size
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)
    return _encoded(b"\xff\xd8" + segments + frame + bytes(64))


def gif(width: int, height: int) -> str:
    """A GIF's beginning, in base64."""
    return _encoded(b"GIF89a" + struct.pack("<HH", width, height) + bytes(64))


def webp(width: int, height: int) -> str:
    """An extended WebP's beginning, in base64."""
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + size
    return _encoded(b"RIFF" + struct.pack("<I", len(body)) + body + bytes(64))
