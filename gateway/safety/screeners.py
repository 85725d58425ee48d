"""All that screening needs, one of each for the whole gateway."""

from __future__ import annotations

from gateway.cache.backend_transport import Sender
from gateway.catalog.screenings import ResolvedScreening
from gateway.catalog.snapshot import ResolvedBackend
from gateway.safety.client import SafetyClient
from gateway.safety.memory import Memory
from gateway.safety.screener import Screener


class Screeners:
    """Makes screeners, which share what is remembered. A changed threshold leaves it valid: severities are kept."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._memory = Memory()

    def of(self, resolved: ResolvedScreening) -> Screener:
        """Compile settings."""
        backend = resolved.backend
        client = SafetyClient(self._sender, backend) if backend is not None else None
        return Screener(resolved.settings, client, _identity(backend), self._memory)

    async def aclose(self) -> None:
        """Give up what is being asked."""
        await self._memory.aclose()


def _identity(backend: ResolvedBackend | None) -> str:
    return "" if backend is None else backend.settings.url
