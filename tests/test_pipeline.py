"""The order of the policies is a security property."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.body import RequestBody
from gateway.call import Call, Outcome, Reply
from gateway.catalog.caches import Caches, ResolvedCache
from gateway.catalog.content_safety import ContentSafety
from gateway.catalog.limits import RateLimit
from gateway.catalog.models import Gateway
from gateway.catalog.screenings import ResolvedScreening, Screenings
from gateway.catalog.semantic_cache import SemanticCache
from gateway.catalog.snapshot import ApiEntry
from gateway.pipeline import Next, compile_chain, policies
from gateway.services import Services
from local.azurite import Azurite
from tests.policies.test_admit import entry, never_received

NOTHING = cast(Services, SimpleNamespace(**dict.fromkeys(Services.__dataclass_fields__)))
LIMIT = RateLimit(counterKey="subscription", calls=1)


def names_of(api: ApiEntry) -> list[str]:
    return [type(policy).__name__ for policy in policies(api, NOTHING)]


def test_the_order() -> None:
    """Recorded first, admitted before anything is parsed, limited before it costs anything, forwarded last."""
    limited = replace(entry(), gateway=Gateway(rateLimit=(LIMIT,)))
    assert names_of(limited) == ["Record", "Admit", "Operate", "Limit", "Measure", "Forward"]


def test_the_cache_stands_behind_the_limits() -> None:
    """A caller who is over its limit gets nothing from the cache either; what it has need not be measured."""
    cached = replace(entry(), caches=Caches(ResolvedCache(SemanticCache(mode="exact"))))
    assert names_of(cached) == ["Record", "Admit", "Operate", "Cache", "Measure", "Forward"]
    both = replace(cached, gateway=Gateway(rateLimit=(LIMIT,)))
    assert names_of(both) == ["Record", "Admit", "Operate", "Limit", "Cache", "Measure", "Forward"]
    off = replace(entry(), caches=Caches(ResolvedCache(SemanticCache(mode="off"))))
    assert names_of(off) == ["Record", "Admit", "Operate", "Measure", "Forward"]


def test_screening_stands_around_the_cache() -> None:
    """After the limits; what the cache looks up early waits for it, and what it keeps has been screened."""
    settings = ContentSafety.model_validate({"backend": {"url": "https://safety.test"}, "categories": {"Hate": 4}})
    screened = replace(entry(), screenings=Screenings(ResolvedScreening(settings)))
    names = names_of(
        replace(
            screened,
            gateway=Gateway(rateLimit=(LIMIT,)),
            caches=Caches(ResolvedCache(SemanticCache(mode="exact"))),
        )
    )
    assert names[2:8] == ["Operate", "Limit", "Screen", "Cache", "ScreenAnswers", "Measure"]


def test_a_policy_without_settings_is_not_there() -> None:
    """An API that nobody limits pays nothing for limits."""
    assert names_of(entry()) == ["Record", "Admit", "Operate", "Measure", "Forward"]


class Mark:
    """A policy that notes when it was entered and left."""

    def __init__(self, name: str, notes: list[str], answers: bool = False) -> None:
        self._name, self._notes, self._answers = name, notes, answers

    async def __call__(self, call: Call, next: Next) -> Reply:
        self._notes.append(f"{self._name} in")
        reply = Reply(200, [], b"") if self._answers else await next(call)
        self._notes.append(f"{self._name} out")
        return reply


def make_call() -> Call:
    return Call("GET", "/", b"", [], RequestBody(never_received, None, False), "id")


async def test_a_chain_runs_outermost_first() -> None:
    """Each policy wraps the rest of the list."""
    notes: list[str] = []
    await compile_chain([Mark("a", notes), Mark("b", notes, answers=True)])(make_call())
    assert notes == ["a in", "b in", "b out", "a out"]


def test_the_end_runs_once_and_last_registered_first() -> None:
    """And one callback's failure does not keep the others from running."""
    notes: list[str] = []

    def failing(call: Call, outcome: Outcome) -> None:
        notes.append("failing")
        raise RuntimeError("bookkeeping")

    call = make_call()
    call.on_end(lambda *_: notes.append("outer"))
    call.on_end(failing)
    call.on_end(lambda *_: notes.append("inner"))
    call.end()
    call.end()
    assert notes == ["inner", "failing", "outer"]


async def test_the_shell_answers_in_the_one_shape_whatever_breaks() -> None:
    """A fault of our own is 500 InternalError with a request id, and no word of what it was."""
    from starlette.requests import Request

    from gateway.app import build_gateway

    gateway = cast(Any, build_gateway({"GATEWAY_TABLES": Azurite().connection_string}))

    async def broken() -> None:
        raise ZeroDivisionError("a secret detail")

    gateway._snapshot = broken
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/x", "raw_path": b"/x", "query_string": b"", "headers": []}
    response = await gateway.handle(Request(scope, never_received))
    await response(scope, never_received, send)
    assert sent[0]["status"] == 500
    assert b'"code":"InternalError"' in sent[1]["body"]
    assert b"secret detail" not in sent[1]["body"]


async def test_without_settings_every_call_says_so() -> None:
    """503 GatewayNotConfigured, and the log names each missing setting."""
    from starlette.requests import Request

    from gateway.app import build_gateway

    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/x", "raw_path": b"/x", "query_string": b"", "headers": []}
    response = await build_gateway({}).handle(Request(scope, never_received))
    await response(scope, never_received, send)
    assert (sent[0]["status"], b'"code":"GatewayNotConfigured"' in sent[1]["body"]) == (503, True)


@pytest.mark.parametrize(("path", "status"), [("/gateway/health", 200), ("/gateway/ready", 503), ("/gateway/x", 503)])
async def test_without_settings_the_process_is_alive_and_not_ready(path: str, status: int) -> None:
    """It names what is missing, and nothing of what stands there."""
    from starlette.requests import Request

    from gateway.app import build_gateway

    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
    scope["headers"] = []
    gateway = build_gateway({"GATEWAY_TABLES": "AccountName=a;AccountKey=private", "GATEWAY_LOG_LEVEL": "private"})
    response = await gateway.manage(Request(scope, never_received))
    await response(scope, never_received, send)
    assert sent[0]["status"] == status
    assert b"private" not in sent[1]["body"]
    if path == "/gateway/ready":
        assert b"GATEWAY_LOG_LEVEL" in sent[1]["body"]
