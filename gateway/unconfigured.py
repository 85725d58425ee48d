"""The gateway that cannot be built."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import ConfigurationError, GatewayError, UnavailableError
from gateway.incoming import begin_call
from gateway.management.health import health, probed, ready
from gateway.response import GatewayResponse, reply_of

log = logging.getLogger("gateway")


class UnconfiguredGateway:
    """Stands in while settings are missing: says so in the log, and to callers only that it is so."""

    function_auth = False

    def __init__(self, error: ConfigurationError) -> None:
        self._faults = error.faults
        # The names are in the documentation; what stands behind them may be a secret.
        names = ", ".join(fault.partition(":")[0] for fault in error.faults)
        self._checks = {"settings": f"wrong or missing: {names}; the log says more"}

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Name every fault once, where the operator looks."""
        for fault in self._faults:
            log.error("setting %s", fault)
        yield

    async def handle(self, request: Request) -> Response:
        """503 to everything."""
        return GatewayResponse(begin_call(request), reply_of(UnavailableError("GatewayNotConfigured")))

    async def manage(self, request: Request) -> Response:
        """The process is alive, but not ready."""
        call = begin_call(request)
        try:
            reply = health() if probed(call) == "health" else ready(self._checks)
        except GatewayError:
            reply = reply_of(UnavailableError("GatewayNotConfigured"))
        return GatewayResponse(call, reply)
