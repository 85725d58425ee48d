"""A backend made ready for calls: what can be worked out once is worked out once, not for every request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import httpx2

from gateway.call import Header
from gateway.catalog.backend_settings import (
    BackendSettings,
    HeaderCredentials,
    ManagedIdentityCredentials,
    QueryCredentials,
)
from gateway.catalog.snapshot import ResolvedBackend


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests to one backend go, and with which credential."""

    name: str
    url: str
    origin: httpx2.URL
    host: bytes
    base_path: bytes
    fixed_headers: tuple[Header, ...] = field(repr=False)
    fixed_query: bytes = field(repr=False)
    credential_names: frozenset[bytes]
    credential_query: str | None
    managed_identity: ManagedIdentityCredentials | None
    connect_seconds: float
    first_byte_seconds: float
    between_chunks_seconds: float
    transport_key: TransportKey

    @classmethod
    def of(cls, backend: ResolvedBackend) -> Target:
        """Compile a resolved backend."""
        settings = backend.settings
        url = httpx2.URL(settings.url)
        credentials = settings.credentials
        header = credentials.header.lower().encode() if isinstance(credentials, HeaderCredentials) else None
        query = credentials.query if isinstance(credentials, QueryCredentials) else None
        value = backend.credential_value or ""
        return cls(
            name=backend.name,
            url=settings.url,
            origin=url.copy_with(path="/", query=None),
            host=url.netloc,
            base_path=urlsplit(settings.url).path.rstrip("/").encode(),
            fixed_headers=((header, value.encode("latin-1")),) if header else (),
            fixed_query=f"{quote(query, safe='')}={quote(value, safe='')}".encode() if query else b"",
            credential_names=frozenset([header]) if header else frozenset(),
            credential_query=query,
            managed_identity=credentials if isinstance(credentials, ManagedIdentityCredentials) else None,
            connect_seconds=settings.timeouts.connect,
            first_byte_seconds=settings.timeouts.first_byte,
            between_chunks_seconds=settings.timeouts.between_chunks,
            transport_key=_transport_key(settings, url),
        )

    def path(self, below: str, query: bytes) -> bytes:
        """The request target (RFC 9112, section 3.2): the backend's path, then what the caller asked for below it."""
        target = self.base_path + (b"/" + below.encode("latin-1") if below else b"")
        parts: Sequence[bytes] = [part for part in (query, self.fixed_query) if part]
        return (target or b"/") + (b"?" + b"&".join(parts) if parts else b"")


@dataclass(frozen=True, slots=True)
class TransportKey:
    """Backends with equal transport settings share one transport and its connections."""

    http2: bool
    proxy: str | None = field(repr=False)  # it may hold a password
    trust_environment: bool
    verify_tls: bool


def _transport_key(settings: BackendSettings, url: httpx2.URL) -> TransportKey:
    proxy = settings.proxy
    if proxy is None and settings.trust_environment:
        proxy = _environment_proxy(url)
    return TransportKey(settings.http2, proxy, settings.trust_environment, settings.verify_tls)


def _environment_proxy(url: httpx2.URL) -> str | None:
    """The proxy for a backend by the conventions of curl: HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, less NO_PROXY."""
    from urllib.request import getproxies, proxy_bypass  # it brings half of the standard library with it

    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(url.netloc.decode()):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
