"""A backend's addresses in its answer's headers, as seen from outside: its own become the gateway's."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from gateway.call import Header

LINK_TARGET = re.compile(r"<([^>]*)>")


def rewrite_addresses(headers: list[Header], backend_url: str, api_path: str) -> list[Header]:
    """The headers with every address in them rewritten; one that has no address outside is dropped."""
    if not any(name in REWRITERS for name, _ in headers):
        return headers
    rewritten: list[Header] = []
    for name, value in headers:
        rewrite = REWRITERS.get(name)
        text = rewrite(value.decode("latin-1"), backend_url, api_path) if rewrite else value.decode("latin-1")
        if text is not None:
            rewritten.append((name, text.encode("latin-1")))
    return rewritten


def rewrite_links(value: str, backend_url: str, api_path: str) -> str | None:
    """The `Link` to return (RFC 8288: addresses between angle brackets, such as those of other pages), or None."""
    targets = {target: rewrite_location(target, backend_url, api_path) for target in LINK_TARGET.findall(value)}
    # A link's parameters may have addresses too (`anchor`).
    parameters = LINK_TARGET.sub("", value).lower()
    if None in targets.values() or f"//{urlsplit(backend_url).hostname}" in parameters:
        return None
    return LINK_TARGET.sub(lambda found: f"<{targets[found[1]]}>", value)


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


Rewriter = Callable[[str, str, str], str | None]
REWRITERS: dict[bytes, Rewriter] = {
    b"location": rewrite_location,
    b"content-location": rewrite_location,
    # Where Azure's long operations are asked after.
    b"operation-location": rewrite_location,
    b"azure-asyncoperation": rewrite_location,
    b"link": rewrite_links,
}
