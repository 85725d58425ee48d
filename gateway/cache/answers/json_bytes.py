"""Writing JSON as it goes to callers: compact, and never anything that is not JSON."""

from __future__ import annotations

from json import JSONEncoder
from typing import Any

_AS_IT_IS = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ESCAPED = JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def json_bytes(value: Any) -> bytes:
    """ValueError for numbers that JSON does not have, RecursionError for what is nested too deep."""
    try:
        return _AS_IT_IS.encode(value).encode()
    except UnicodeEncodeError:
        # Half a surrogate pair, which JSON can carry and UTF-8 cannot.
        return _ESCAPED.encode(value).encode()
