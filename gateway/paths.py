"""Is this path safe to forward? Judged after decoding; forwarded as it came."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from gateway.errors import CallerError

# Letters, digits and marks that need no thought: nearly every real path.
PLAIN = re.compile(r"(?:/[A-Za-z0-9_~:@!$&'()*+,=-][A-Za-z0-9._~:@!$&'()*+,=-]*)*/?")
BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
CONTROL_CHARACTERS = frozenset(range(0x20)) | {0x7F}


def check_path(raw_path: str) -> None:
    """Raise CallerError (400 InvalidPath) for dot segments, backslashes and control characters, encoded or not.

    Decoding twice catches what a backend that decodes twice would see.
    """
    if PLAIN.fullmatch(raw_path):
        return
    if BROKEN_ESCAPE.search(raw_path):
        raise CallerError("InvalidPath")
    once = unquote_to_bytes(raw_path)
    if _is_unsafe(once) or _is_unsafe(unquote_to_bytes(once)):
        raise CallerError("InvalidPath")


def _is_unsafe(path: bytes) -> bool:
    if b"\\" in path or not CONTROL_CHARACTERS.isdisjoint(path):
        return True
    # Some servers cut ";parameters" off a segment before they look at it.
    return any(segment.partition(b";")[0] in (b".", b"..") for segment in path.split(b"/"))
