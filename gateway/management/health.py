"""GET /gateway/health: 200 once calls can be made."""

from __future__ import annotations

import json

from gateway.call import Call, Reply
from gateway.catalog.snapshot import Snapshot
from gateway.errors import CallerError


def health(call: Call, snapshot: Snapshot | None) -> Reply:
    """200 when the catalog is loaded, 503 before. Says nothing that a stranger may not know."""
    if call.raw_path != "/gateway/health":
        raise CallerError("OperationNotFound")
    if call.method not in ("GET", "HEAD"):
        raise CallerError("MethodNotAllowed", headers={"allow": "GET, HEAD"})
    status, word = (503, "starting") if snapshot is None else (200, "ok")
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    return Reply(status, headers, json.dumps({"status": word}).encode())
