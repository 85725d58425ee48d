"""Builds everything once, and handles each request: find the API, run its policies, send the reply."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from gateway.backends.client import BackendClient
from gateway.backends.credentials import ManagedIdentity
from gateway.cache.in_redis import InRedis
from gateway.cache.in_table import InTable
from gateway.cache.service import AnswerCache
from gateway.call import Call, EndCallback, Reply
from gateway.catalog.live import LiveCatalog
from gateway.catalog.secrets import SecretBox
from gateway.catalog.snapshot import ApiEntry, Snapshot
from gateway.errors import REFUSALS, CallerError, ConfigurationError, GatewayError, UnavailableError
from gateway.incoming import begin_call
from gateway.ledger.ledger import Ledger
from gateway.llm.tokenizer import Tokenizer
from gateway.management.health import Readiness, health, probed, ready
from gateway.management.welcome import welcome
from gateway.paths import check_path
from gateway.pipeline import Next, compile_chain, policies
from gateway.policies.drain import Drains
from gateway.policies.key_cache import FindByDigest, KeyCache
from gateway.presence import Attendance, CallerPresence
from gateway.request_log import log_request
from gateway.response import STOPPING, GatewayResponse, reply_of
from gateway.safety.screeners import Screeners
from gateway.services import Services
from gateway.settings import Settings
from gateway.storage.cache import CacheStore
from gateway.storage.catalog import CatalogStore
from gateway.storage.ledger import LedgerStore
from gateway.storage.redis_cache import RedisCacheStore
from gateway.storage.subscriptions import SubscriptionRecord, SubscriptionStore
from gateway.storage.tables import Tables
from gateway.storage.usage import UsageStore
from gateway.telemetry.recorder import build_telemetry
from gateway.unconfigured import UnconfiguredGateway
from gateway.usage_recorder import UsageRecorder
from gateway.web_extension import IS_STOPPING

log = logging.getLogger("gateway")

# For calls still at work when the process ends.
LAST_WORDS_SECONDS = 2.0
MEGABYTE = 1024 * 1024


class Gateway:
    """The whole gateway behind one method, `handle`."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self.tables = Tables(settings)
        subscriptions = SubscriptionStore(self.tables)
        self.function_auth = settings.function_auth == "function"
        self._settings = settings
        self._tokens = ManagedIdentity(settings.azure_client_id)
        self._usage = UsageRecorder(UsageStore(self.tables), REFUSALS, settings.usage_flush_seconds)
        self._telemetry = build_telemetry(settings)
        self._recorders: list[EndCallback] = [log_request, self._usage.record]
        if self._telemetry is not None:
            self._recorders.append(self._telemetry.record)
        backend_client = BackendClient(self._tokens, settings.max_backend_connections)
        self._services = Services(
            key_cache=KeyCache(
                _finder(subscriptions),
                known_seconds=settings.key_cache_seconds,
                unknown_seconds=settings.unknown_key_cache_seconds,
                size=settings.key_cache_size,
            ),
            backend_client=backend_client,
            tokenizer=Tokenizer(),
            ledger=Ledger(
                LedgerStore(self.tables), on_cut_off=self._telemetry.ledger_unavailable if self._telemetry else None
            ),
            drains=Drains(),
            cache=AnswerCache(_entries(settings, self.tables), backend_client, time.time),
            screeners=Screeners(backend_client),
            recorders=self._recorders,
            clock=lambda: datetime.now(UTC),
            function_auth=self.function_auth,
        )
        catalog = CatalogStore(self.tables)
        self._catalog = LiveCatalog(
            catalog, SecretBox(settings.secret_keys), environment, settings.catalog_poll_seconds
        )
        self._readiness = Readiness(lambda: self._catalog.snapshot is not None, catalog.read_revision)
        self._attendance = Attendance()
        self._compiled_for: Snapshot | None = None
        self._chains: dict[str, Next] = {}

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Load the catalog and the vocabularies while the worker starts; close every connection when it stops."""
        self._catalog.start()
        self._services.tokenizer.start()
        self._usage.start()
        if self._telemetry is not None:
            self._telemetry.start()
        try:
            yield
        finally:
            await self._attendance.dismiss(LAST_WORDS_SECONDS)
            await self._catalog.aclose()
            await self._readiness.aclose()
            # In this order: what a drain has read is charged, what has been charged is pushed.
            await self._services.drains.aclose()
            await self._services.cache.aclose()
            await self._services.screeners.aclose()
            await self._services.ledger.aclose()
            await self._usage.aclose()
            if self._telemetry is not None:
                await self._telemetry.aclose()
            await self._services.backend_client.aclose()
            await self._services.tokenizer.aclose()
            await self._tokens.aclose()
            await self.tables.aclose()

    async def handle(self, request: Request) -> Response:
        """Answer one request to an API. Whatever happens inside, the caller gets a reply in the gateway's own words."""
        call = begin_call(request)
        presence = CallerPresence(self._attendance, request.receive, call.body.is_complete)
        reply: Reply | None = None
        try:
            with presence:
                reply = await self._answer_safely(call)
        except asyncio.CancelledError:
            _end_for_stop(call)
            raise
        if reply is None:
            reply = self._reply_to_nobody(call, request)
        # However long the answer takes, what was asked is not needed any more.
        call.content = None
        return GatewayResponse(call, reply, self._attendance, self._settings.keep_alive_comment_seconds)

    def _reply_to_nobody(self, call: Call, request: Request) -> Reply:
        """The caller's connection is gone: closed by the caller, or by this process because it stops."""
        if request.scope.get(IS_STOPPING):
            # Nobody takes what is returned any more, so the call ends here.
            _end_for_stop(call)
            return reply_of(STOPPING)
        call.outcome.aborted = True
        return reply_of(CallerError("CallerDisconnected"))

    async def manage(self, request: Request) -> Response:
        """Answer one request to the gateway's own routes. It never leads to an API, whatever the path looks like."""
        call = begin_call(request)
        try:
            reply = health() if probed(call) == "health" else ready(await self._readiness.checks())
        except GatewayError as error:
            call.on_end(log_request)
            reply = reply_of(error)
        return GatewayResponse(call, reply, self._attendance)

    async def _answer_safely(self, call: Call) -> Reply:
        try:
            return await self._answer(call)
        except GatewayError as error:
            return reply_of(error)
        except Exception:
            log.exception("request %s failed inside the gateway", call.request_id)
            return reply_of(UnavailableError("InternalError"))

    async def _answer(self, call: Call) -> Reply:
        try:
            chain = await self._find(call)
        except BaseException:
            # The record policy belongs to an API; who finds none is recorded too.
            call.on_end(log_request)
            raise
        return await chain(call)

    async def _find(self, call: Call) -> Next:
        check_path(call.raw_path)
        snapshot = await self._snapshot()
        found = snapshot.route(call.raw_path[1:])
        if found is None:
            if call.raw_path == "/" and call.method in ("GET", "HEAD") and not snapshot.apis:
                return _welcome
            raise CallerError("OperationNotFound")
        call.entry, call.rest = found
        return self._chain(snapshot, call.entry)

    async def _snapshot(self) -> Snapshot:
        snapshot = self._catalog.current() or await self._catalog.latest()
        if snapshot is None:
            raise UnavailableError("CatalogUnavailable", headers={"retry-after": "5"})
        return snapshot

    def _chain(self, snapshot: Snapshot, entry: ApiEntry) -> Next:
        if snapshot is not self._compiled_for:
            self._chains, self._compiled_for = {}, snapshot
        name = entry.api.name
        chain = self._chains.get(name)
        if chain is None:
            # One at a time, when it is needed: an API that cannot be compiled takes no other along.
            chain = self._chains[name] = compile_chain(policies(entry, self._services))
        return chain


async def _welcome(call: Call) -> Reply:
    call.on_end(log_request)
    return welcome(call)


def build_gateway(environment: Mapping[str, str] = os.environ) -> Gateway | UnconfiguredGateway:
    """The gateway that these settings describe. No I/O happens until the first request or `lifespan`."""
    try:
        settings = Settings.from_environment(environment)
    except ConfigurationError as error:
        return UnconfiguredGateway(error)
    logging.getLogger("gateway").setLevel(settings.log_level)
    for talkative in ("azure.core", "azure.identity", "azure.data"):
        # At INFO these write several lines, headers among them, for every storage call.
        logging.getLogger(talkative).setLevel(logging.WARNING)
    return Gateway(settings, environment)


def stopping_response() -> Response:
    """What callers are told whose calls the process's stop has overtaken."""
    return Response(STOPPING.body(), STOPPING.status, {"retry-after": "1"}, "application/json")


def _end_for_stop(call: Call) -> None:
    call.outcome.status, call.outcome.code = STOPPING.status, STOPPING.code
    call.end()


def _entries(settings: Settings, tables: Tables) -> InTable | InRedis:
    if settings.cache:
        return InRedis(RedisCacheStore(settings.cache))
    memory, answers = settings.cache_memory_megabytes, settings.cache_answers_megabytes
    return InTable(CacheStore(tables), time.time, memory * MEGABYTE, answers * MEGABYTE)


def _finder(subscriptions: SubscriptionStore) -> FindByDigest:
    async def find(digest: str) -> SubscriptionRecord | None:
        found = await subscriptions.find(digest)
        return found[0] if found else None

    return find
