"""A request as it comes in, before anything is decided."""

from __future__ import annotations

import random
import re

from starlette.requests import Request

from gateway.body import RequestBody
from gateway.call import Call, Header, first_value
from gateway.catalog.keys import holds_key

REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def begin_call(request: Request) -> Call:
    """What can be said of a request before anything is decided."""
    scope = request.scope
    headers = scope["headers"]
    length = first_value(headers, b"content-length")
    has_body = length not in (None, b"0") or first_value(headers, b"transfer-encoding") is not None
    expected = int(length) if length is not None and length.isdigit() else None
    return Call(
        method=scope["method"],
        raw_path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"],
        headers=headers,
        body=RequestBody(request.receive, expected, has_body),
        request_id=_request_id(headers),
    )


def _request_id(headers: list[Header]) -> str:
    given = first_value(headers, b"x-request-id")
    if given is not None and REQUEST_ID.fullmatch(text := given.decode("latin-1")) and not holds_key(text):
        return text
    # It tells requests apart; nothing depends on its being hard to guess.
    return f"{random.getrandbits(128):032x}"
