"""What a caller wants to go wrong, or to go slowly, said in `x-stand-in-*` headers. `Wishes` documents them all."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from starlette.requests import Request

from local.model.errors import ModelError

PREFIX = "x-stand-in-"


@dataclass(frozen=True, slots=True)
class Wishes:
    """One field a header: `chunk_delay` is `x-stand-in-chunk-delay`."""

    delay: float = 0.0
    """Seconds before the first byte of the answer."""
    chunk_delay: float = 0.0
    """Seconds between the events of a stream."""
    status: int | None = None
    """Answer this status, 200 to 599, with an error; 429 comes with Retry-After."""
    reset_after_bytes: int | None = None
    """Reset the TCP connection after so many bytes of body, or at its end if it is shorter; 0: before the head."""
    hang: Literal["head", "body"] | None = None
    """Never answer, or stop in the middle of the body (of a stream: after two events)."""
    split_bytes: int | None = None
    """Send the body in pieces of so many bytes, each flushed, whatever they cut in two."""
    html: bool = False
    """Answer 200 with an HTML page."""
    stream_error: int | None = None
    """End a stream after so many events with `data: {"error": ...}`."""
    no_usage: bool = False
    """Leave `usage` out, even where it was asked for."""
    no_done: bool = False
    """Leave out the `[DONE]` that ends streams of chat completions and completions."""
    headers: tuple[tuple[str, str], ...] = ()
    """More response headers: a JSON object of names and a value or a list of values."""
    redirect: str | None = None
    """Answer 302 to this URL."""
    words: int | None = None
    """Answer with a text of so many words."""
    say: str | None = None
    """Answer with this text, which is written as a JSON string."""

    @classmethod
    def of(cls, request: Request) -> Wishes:
        """The wishes that came with a request, already read by the fault injection."""
        wishes = request.state.wishes
        if not isinstance(wishes, cls):
            raise TypeError("fault injection must come before what reads the wishes")
        return wishes

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[bytes, bytes]]) -> Wishes:
        """Read them; raise ModelError on a header that is unknown or makes no sense, lest a test fail to fail."""
        values: dict[str, Any] = {}
        for raw_name, raw_value in headers:
            name = raw_name.decode("latin-1").lower()
            if not name.startswith(PREFIX):
                continue
            field = name.removeprefix(PREFIX).replace("-", "_")
            if field not in READERS:
                raise ModelError(400, f"The stand-in model does not know the header {name}.", parameter=name)
            values[field] = _read(name, READERS[field], raw_value)
        return cls(**values)


def _read(name: str, reader: Callable[[str], Any], raw_value: bytes) -> Any:
    try:
        return reader(raw_value.decode())
    except ValueError as error:
        raise ModelError(400, f"The header {name} is not understood: {error}", parameter=name) from error


def _seconds(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{text} is not a duration in seconds")
    return value


def _at_least(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if value < minimum or (maximum is not None and value > maximum):
            raise ValueError(f"{value} is out of range")
        return value

    return read


def _flag(text: str) -> bool:
    return text.lower() not in ("0", "false", "no", "")


def _place(text: str) -> str:
    if text not in ("head", "body"):
        raise ValueError("it takes head or body")
    return text


def _text(text: str) -> str:
    value = json.loads(text)
    if not isinstance(value, str):
        raise ValueError("it takes a JSON string")
    return value


def _header_pairs(text: str) -> tuple[tuple[str, str], ...]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("it takes a JSON object")
    lists = {name: many if isinstance(many, list) else [many] for name, many in value.items()}
    return tuple((name, str(one)) for name, many in lists.items() for one in many)


READERS: dict[str, Callable[[str], Any]] = {
    "delay": _seconds,
    "chunk_delay": _seconds,
    "status": _at_least(200, 599),
    "reset_after_bytes": _at_least(0),
    "hang": _place,
    "split_bytes": _at_least(1),
    "html": _flag,
    "stream_error": _at_least(0),
    "no_usage": _flag,
    "no_done": _flag,
    "headers": _header_pairs,
    "redirect": str,
    "words": _at_least(0, 1_000_000),
    "say": _text,
}
