"""Builds everything once, and handles each request: find the API, run its policies, send the reply."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from gateway.backends.client import BackendClient
from gateway.backends.credentials import ManagedIdentity
from gateway.body import RequestBody
from gateway.cache.in_redis import InRedis
from gateway.cache.in_table import InTable
from gateway.cache.service import AnswerCache
from gateway.call import Call, EndCallback, Header, Reply, first_value
from gateway.catalog.keys import holds_key
from gateway.catalog.live import LiveCatalog
from gateway.catalog.secrets import SecretBox
from gateway.catalog.snapshot import ApiEntry, Snapshot
from gateway.errors import REFUSALS, CallerError, ConfigurationError, GatewayError, UnavailableError
from gateway.ledger.ledger import Ledger
from gateway.llm.tokenizer import Tokenizer
from gateway.management.health import health
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
from gateway.usage_recorder import UsageRecorder
from gateway.web_extension import IS_STOPPING

log = logging.getLogger("gateway")

# For calls still at work when the process ends.
LAST_WORDS_SECONDS = 2.0
MEGABYTE = 1024 * 1024
REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


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
        self._catalog = LiveCatalog(
            CatalogStore(self.tables), SecretBox(settings.secret_keys), environment, settings.catalog_poll_seconds
        )
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
            reply = health(call, self._catalog.snapshot)
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


class UnconfiguredGateway:
    """Stands in while settings are missing: says so in the log, and to callers only that it is so."""

    function_auth = False

    def __init__(self, error: ConfigurationError) -> None:
        self._faults = error.faults

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Name every fault once, where the operator looks."""
        for fault in self._faults:
            log.error("setting %s", fault)
        yield

    async def handle(self, request: Request) -> Response:
        """503 to everything."""
        return GatewayResponse(begin_call(request), reply_of(UnavailableError("GatewayNotConfigured")))

    manage = handle


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


def begin_call(request: Request) -> Call:
    """What can be said of a request before anything is decided."""
    scope = request.scope
    headers = scope["headers"]
    length = first_value(headers, b"content-length")
    has_body = length not in (None, b"0") or first_value(headers, b"transfer-encoding") is not None
    expected = int(length) if length is not None and length.isdigit() else None
    return Call(
        method=scope["method"],
        raw_path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"],
        headers=headers,
        body=RequestBody(request.receive, expected, has_body),
        request_id=_request_id(headers),
    )


def _request_id(headers: list[Header]) -> str:
    given = first_value(headers, b"x-request-id")
    if given is not None and REQUEST_ID.fullmatch(text := given.decode("latin-1")) and not holds_key(text):
        return text
    # It tells requests apart; nothing depends on its being hard to guess.
    return f"{random.getrandbits(128):032x}"


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
