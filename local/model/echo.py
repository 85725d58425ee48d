"""Any method on /echo: what crossed the wire, as it arrived. For those who forward requests."""

from __future__ import annotations

import hashlib

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send


class Echo:
    """An ASGI application rather than a function, because Starlette then lets every method through."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        digest = hashlib.sha256()
        length = 0
        async for piece in Request(scope, receive).stream():
            digest.update(piece)
            length += len(piece)
        seen = {
            "method": scope["method"],
            "path": scope["raw_path"].decode("latin-1"),
            "query": scope["query_string"].decode("latin-1"),
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
            "body": {"sha256": digest.hexdigest(), "length": length},
        }
        await JSONResponse(seen)(scope, receive, send)
