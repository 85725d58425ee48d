"""Who calls, by address."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from gateway.call import Header

FORWARDED_FOR = b"x-forwarded-for"


def caller_address(headers: Iterable[Header]) -> str:
    """The caller's IP address as App Service's front end saw it, or nothing if it does not say.

    The front end puts it behind whatever the caller has sent of `X-Forwarded-For`, so only the last entry is to be
    trusted.
    """
    entries = [value for name, value in headers if name == FORWARDED_FOR]
    return _address_in(entries[-1].rpartition(b",")[2]) if entries else ""


@lru_cache(maxsize=2_048)
def _address_in(entry: bytes) -> str:
    last = entry.decode("latin-1").strip()
    return next((str(address) for text in _spellings(last) if (address := _address(text))), "")


def _spellings(entry: str) -> tuple[str, ...]:
    """With and without a port: `203.0.113.7:4711`, `[2001:db8::1]:4711`."""
    return entry, entry.rpartition(":")[0].strip("[]"), entry.strip("[]")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
