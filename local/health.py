"""Whether a gateway on this machine takes calls."""

from __future__ import annotations

import http.client


def is_ready(port: int) -> bool:
    """Whether the gateway says that calls can be made."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/gateway/ready")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
