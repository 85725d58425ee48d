"""A backend's redirects, as seen from outside: its own address becomes the gateway's."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit


def rewrite_location(value: str, backend_url: str, api_path: str) -> str | None:
    """The `Location` to return, or None to return none.

    What lies below the backend's URL becomes a path below the API's, without a host (RFC 9110, section 10.2.2, allows
    it), so no forged Host header can find its way in. Another place on the backend's own host has no address outside
    and is dropped, whatever its port or scheme; another host is the backend's word to the caller and stays.
    """
    try:
        target, base = urlsplit(value), urlsplit(backend_url)
        host = target.hostname
    except ValueError:
        return None
    if host is not None and host != base.hostname:
        return value
    if not target.path.startswith("/"):
        return value if not (target.scheme or target.netloc) else None
    base_path = base.path.rstrip("/")
    if target.path != base_path and not target.path.startswith(base_path + "/"):
        return None
    below = target.path[len(base_path) :].lstrip("/")
    if any(segment in (".", "..") for segment in unquote(below).split("/")):
        return None
    path = "/".join(part for part in (api_path, below) if part)
    return target._replace(scheme="", netloc="", path=f"/{path}").geturl()
