"""One spelling for what means the same, so that it has one hash."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any
from unicodedata import normalize

# Nothing that was parsed from JSON refers to itself. Deep nesting is a RecursionError all the same.
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")).encode


# A longer text is put in by its hash, where it is no text that people wrote.
LONGEST_TEXT = 1_024
# What no text begins with, once those that did have another before it.
ESCAPE = "\0"


def spelled(value: Any) -> bytes:
    """JSON with sorted keys and without spaces. No two values share it.

    Raises ValueError for text that is none (half a surrogate pair), and RecursionError.
    """
    return _encode(value).encode()


def canonical(value: Any) -> bytes:
    """The same, in which 1.0 is 1: two values share it only if they mean the same."""
    text = _encode(value)
    # How Python writes every float that is a whole number; text may have it too, and then this is done for nothing.
    if ".0" in text or "e+" in text:
        text = _encode(_with_whole_numbers(value))
    return text.encode()


def shortened(value: Any) -> Any:
    """The JSON value with a hash in place of each long text, as a picture in base64 is. No two values share it."""
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            return ESCAPE + sha256(value.encode()).hexdigest()
        return ESCAPE + value if value.startswith(ESCAPE) else value
    if isinstance(value, dict):
        return {name: shortened(each) for name, each in value.items()}
    return [shortened(each) for each in value] if isinstance(value, list) else value


def _with_whole_numbers(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {name: _with_whole_numbers(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_with_whole_numbers(each) for each in value]
    return value


def normalised(text: str) -> str:
    """The text in Unicode's form C (UAX #15), with "\\n" for any end of a line, and nothing invisible at its ends.

    White space within is what it is: in a program, or a table, it says something.
    """
    composed = text if text.isascii() else normalize("NFC", text)
    return composed.replace("\r\n", "\n").replace("\r", "\n").strip()
