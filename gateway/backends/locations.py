"""A backend's redirects, as seen from outside: its own address becomes the gateway's."""

from __future__ import annotations

from urllib.parse import urlsplit


def rewrite_location(value: str, backend_url: str, api_path: str) -> str | None:
    """The `Location` to return, or None to return none.

    What lies below the backend's URL becomes a path below the API's, without a host (RFC 9110, section 10.2.2, allows
    it), so no forged Host header can find its way in. Another place on the backend's own origin has no address
    outside and is dropped; another origin is the backend's word to the caller and stays.
    """
    target, base = urlsplit(value), urlsplit(backend_url)
    if target.netloc and (target.scheme or base.scheme, target.netloc.lower()) != (base.scheme, base.netloc.lower()):
        return value
    if not target.path.startswith("/"):
        return value if not target.netloc else None
    base_path = base.path.rstrip("/")
    if target.path != base_path and not target.path.startswith(base_path + "/"):
        return None
    below = target.path[len(base_path) :]
    rewritten = target._replace(scheme="", netloc="", path=(f"/{api_path}" if api_path else "") + below)
    return rewritten.geturl() or "/"
