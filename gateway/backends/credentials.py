"""How the gateway proves itself to a backend: a header, a query parameter, or its managed identity."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gateway.errors import UnavailableError

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

log = logging.getLogger("gateway.credentials")

# Tokens are good for an hour or more; a new one is fetched while the old one still serves.
RENEW_SECONDS_BEFORE_EXPIRY = 300.0


class TokenSource(Protocol):
    """Where bearer tokens for backends come from."""

    async def token(self, scope: str, client_id: str | None) -> str: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    expires: float


class ManagedIdentity:
    """Tokens of the app's managed identity, kept until shortly before they expire.

    azure-identity, and with it aiohttp, is imported when the first token is asked for.
    """

    def __init__(self, default_client_id: str | None, now: Callable[[], float] = time.time) -> None:
        self._default_client_id = default_client_id
        self._now = now
        self._credentials: dict[str | None, AsyncTokenCredential] = {}
        self._tokens: dict[tuple[str, str | None], _Token] = {}
        self._locks: dict[tuple[str, str | None], asyncio.Lock] = {}

    async def token(self, scope: str, client_id: str | None) -> str:
        """A token for `scope` (for example `https://cognitiveservices.azure.com/.default`).

        Raises UnavailableError if the platform gives none.
        """
        key = (scope, client_id or self._default_client_id)
        held = self._tokens.get(key)
        if held is not None and self._now() < held.expires - RENEW_SECONDS_BEFORE_EXPIRY:
            return held.text
        async with self._locks.setdefault(key, asyncio.Lock()):
            held = self._tokens.get(key)
            if held is None or self._now() >= held.expires - RENEW_SECONDS_BEFORE_EXPIRY:
                held = await self._fetch(key, held)
            return held.text

    async def _fetch(self, key: tuple[str, str | None], held: _Token | None) -> _Token:
        from azure.core.exceptions import AzureError

        scope, client_id = key
        try:
            answer = await self._credential(client_id).get_token(scope)
        except (AzureError, OSError) as error:
            log.error("no token of the managed identity for %s: %s", scope, type(error).__name__)
            if held is not None and self._now() < held.expires:
                return held
            raise UnavailableError("BackendCredentialUnavailable") from error
        token = _Token(answer.token, float(answer.expires_on))
        self._tokens[key] = token
        return token

    def _credential(self, client_id: str | None) -> AsyncTokenCredential:
        from azure.identity.aio import ManagedIdentityCredential

        if client_id not in self._credentials:
            self._credentials[client_id] = ManagedIdentityCredential(client_id=client_id)
        return self._credentials[client_id]

    async def aclose(self) -> None:
        """Close the clients that azure-identity opened."""
        for credential in self._credentials.values():
            await credential.close()
        self._credentials.clear()
