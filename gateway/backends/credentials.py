"""How the gateway proves itself to a backend with its managed identity: bearer tokens, kept while they are good."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from gateway.azure_identity import azure_credential
from gateway.errors import UnavailableError

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

log = logging.getLogger("gateway.credentials")

# Tokens are good for an hour or more; a new one is fetched while the old one still serves.
RENEW_SECONDS_BEFORE_EXPIRY = 300.0

# After a failure nobody asks again for so long: calls would queue up behind an endpoint that does not answer.
RETRY_SECONDS = 5.0


class TokenSource(Protocol):
    """Where bearer tokens for backends come from."""

    async def token(self, scope: str, client_id: str | None) -> str: ...

    async def aclose(self) -> None: ...


class _Purpose(NamedTuple):
    scope: str
    client_id: str | None


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    expires: float


class ManagedIdentity:
    """Tokens of the app's managed identity; one fetch at a time for each scope and client.

    Those of whoever is `signed_in` instead, where people and pipelines try what the app does by itself.
    """

    def __init__(
        self, default_client_id: str | None, now: Callable[[], float] = time.time, *, signed_in: bool = False
    ) -> None:
        self._default_client_id = default_client_id
        self._signed_in = signed_in
        self._now = now
        self._credentials: dict[str | None, AsyncTokenCredential] = {}
        self._tokens: dict[_Purpose, _Token] = {}
        self._failed: dict[_Purpose, float] = {}
        self._fetches: dict[_Purpose, asyncio.Task[_Token | None]] = {}

    @classmethod
    def of_operator(cls, client_id: str | None) -> Self:
        """For the command line: with an AZURE_CLIENT_ID the managed identity, or else whoever is signed in."""
        return cls(client_id, signed_in=client_id is None)

    async def token(self, scope: str, client_id: str | None) -> str:
        """A token for `scope` (for example `https://cognitiveservices.azure.com/.default`).

        One about to expire serves while the next is fetched. Raises UnavailableError if the platform gives none.
        """
        purpose = _Purpose(scope, client_id or self._default_client_id)
        held = self._tokens.get(purpose)
        remaining = held.expires - self._now() if held is not None else 0.0
        if remaining < RENEW_SECONDS_BEFORE_EXPIRY and self._may_ask(purpose):
            fetch = self._start(purpose)
            if remaining <= 0:
                # Shielded: one caller's leaving must not fail the others that wait for the same token.
                held = await asyncio.shield(fetch)
                remaining = held.expires - self._now() if held is not None else 0.0
        if held is None or remaining <= 0:
            raise UnavailableError("BackendCredentialUnavailable")
        return held.text

    def _may_ask(self, purpose: _Purpose) -> bool:
        failed = self._failed.get(purpose)
        return failed is None or self._now() - failed >= RETRY_SECONDS

    def _start(self, purpose: _Purpose) -> asyncio.Task[_Token | None]:
        task = self._fetches.get(purpose)
        if task is None:
            task = self._fetches[purpose] = asyncio.get_running_loop().create_task(self._fetch(purpose))
            task.add_done_callback(lambda done: self._fetches.pop(purpose))
        return task

    async def _fetch(self, purpose: _Purpose) -> _Token | None:
        try:
            answer = await self._credential(purpose.client_id).get_token(purpose.scope)
        except Exception as error:
            # Whatever azure-identity raises: no token. Its message may hold addresses; its type says enough.
            whose = "whoever is signed in with az or azd" if self._signed_in else "the managed identity"
            log.error("no token of %s for %s: %s", whose, purpose.scope, type(error).__name__)
            self._failed[purpose] = self._now()
            return None
        self._failed.pop(purpose, None)
        token = self._tokens[purpose] = _Token(answer.token, float(answer.expires_on))
        return token

    def _credential(self, client_id: str | None) -> AsyncTokenCredential:
        if client_id not in self._credentials:
            self._credentials[client_id] = azure_credential(client_id, signed_in=self._signed_in)
        return self._credentials[client_id]

    async def aclose(self) -> None:
        """Give up what is being fetched, and close the clients that azure-identity opened."""
        fetches = list(self._fetches.values())
        for fetch in fetches:
            fetch.cancel()
        await asyncio.gather(*fetches, return_exceptions=True)
        for credential in self._credentials.values():
            await credential.close()
        self._credentials.clear()
