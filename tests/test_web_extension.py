"""The web extension with the worker's real coordinator; tests/local/test_host.py has it in the whole worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from azure_functions_runtime.http_v2 import http_coordinator
from azurefunctions.extensions.base import ModuleTrackerMeta, RequestTrackerMeta, ResponseTrackerMeta
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from gateway.web_extension import IS_STOPPING, WebApp, _is_news


class Caller:
    """The web server's side of one request: what it asks and what it was told."""

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "path": "/a/b",
            "raw_path": b"/a%2Fb",
            "query_string": b"",
            "headers": list(headers),
        }
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def call(self, app: WebApp) -> None:
        await app(self.scope, self.receive, self.send)

    @property
    def answer(self) -> tuple[int, bytes]:
        return self.sent[0]["status"], b"".join(message.get("body", b"") for message in self.sent[1:])


class CallerHasLeft(Caller):
    """Writing to this caller fails."""

    async def send(self, message: Any) -> None:
        raise OSError("the caller has left")


async def catch_all(request: Request) -> Any:
    """Does what the worker's own does: leaves the request with the coordinator and waits for the function's answer."""
    invocation = request.headers["x-ms-invocation-id"]
    http_coordinator.set_http_request(invocation, request)
    answer = await http_coordinator.await_http_response_async(invocation)
    if isinstance(answer, Exception):
        raise answer
    return answer


async def invoke(invocation: str, answer: object) -> Request:
    """Does the worker's other half: takes the request over and gives the function's answer."""
    request: Request = await http_coordinator.get_http_request_async(invocation)
    RequestTrackerMeta.get_synchronizer().sync_route_params(request, {"name": "value"})
    http_coordinator.set_http_response(invocation, answer)
    return request


def references() -> dict[str, object]:
    found: dict[str, object] = http_coordinator._context_references
    return found


@pytest.fixture
def app() -> WebApp:
    app = WebApp()
    app.route(catch_all)
    return app


async def exchange(app: WebApp, answer: object, caller: Caller | None = None) -> tuple[Caller, Request]:
    caller = caller or Caller((b"x-ms-invocation-id", b"1"))
    _, request = await asyncio.gather(caller.call(app), invoke("1", answer))
    return caller, request


async def test_functions_answer_reaches_the_caller(app: WebApp) -> None:
    """The response is called as an ASGI application, and the reference is gone afterwards."""
    caller, _ = await exchange(app, PlainTextResponse("hello", status_code=201))
    assert caller.answer == (201, b"hello")
    assert references() == {}


async def test_request_is_the_servers_own(app: WebApp) -> None:
    """The function sees the path as it came, still encoded, and the host's route parameters."""
    _, request = await exchange(app, Response())
    assert request.scope["raw_path"] == b"/a%2Fb"
    assert request.path_params == {"name": "value"}


async def test_failed_function_is_a_bare_500(app: WebApp) -> None:
    """Nothing of the exception is said, and the reference is gone."""
    caller, _ = await exchange(app, ValueError("a secret"))
    assert caller.answer == (500, b"")
    assert references() == {}


async def test_request_without_an_invocation_is_a_404(app: WebApp) -> None:
    """What the host did not send is refused at once, instead of waiting for a function that is never called."""
    caller = Caller((b"host", b"x"))
    await asyncio.wait_for(caller.call(app), 1)
    assert caller.answer == (404, b"")
    assert references() == {}


async def test_reference_goes_when_the_caller_has_left(app: WebApp) -> None:
    """A response that cannot be delivered leaves nothing behind either."""
    with pytest.raises(OSError, match="the caller has left"):
        await exchange(app, PlainTextResponse("unheard"), CallerHasLeft((b"x-ms-invocation-id", b"1")))
    assert references() == {}


async def test_a_call_overtaken_by_the_stop_is_answered(app: WebApp) -> None:
    """Its caller hears 503, its function can see why; the worker, which still works on it, finds its reference."""
    caller = Caller((b"x-ms-invocation-id", b"1"))
    task = asyncio.create_task(caller.call(app))
    await asyncio.sleep(0)
    assert list(references()) == ["1"]
    task.cancel()
    await task
    assert caller.answer == (503, b"")
    assert references().pop("1").http_request.scope[IS_STOPPING] is True  # type: ignore[attr-defined]


async def test_lifespan_surrounds_the_servers_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app's context is entered before the server is ready and left before it is done."""
    events: list[str] = []

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        events.append("entered")
        yield
        events.append("left")

    async def receive() -> dict[str, Any]:
        events.append("asked")
        return {"type": "lifespan"}

    async def send(message: Any) -> None:
        events.append(message["type"])

    monkeypatch.setattr(WebApp, "lifespan", lifespan)
    await WebApp()({"type": "lifespan"}, receive, send)
    assert events == ["asked", "entered", "lifespan.startup.complete", "asked", "left", "lifespan.shutdown.complete"]


@pytest.mark.parametrize("response", [Response, PlainTextResponse, JSONResponse, StreamingResponse])
def test_starlettes_classes_pass_the_workers_checks(response: type[Response]) -> None:
    """Handlers are annotated with Starlette's own request and any of its responses."""
    assert RequestTrackerMeta.check_type(Request)
    assert ResponseTrackerMeta.check_type(response)
    assert not ResponseTrackerMeta.check_type(str)


def test_worker_finds_this_module() -> None:
    """The worker takes WebApp and WebServer from the module that the base has recorded."""
    assert ModuleTrackerMeta.get_module() == "gateway.web_extension"


async def test_changed_coordinator_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """If a later worker keeps its references elsewhere, the log says so and calls go on."""

    class LaterWorker:
        async def __call__(self, request: Request) -> Response:
            return PlainTextResponse("still here")

    app = WebApp()
    app.route(LaterWorker())
    assert "references to finished calls" in caplog.text
    caller = Caller((b"x-ms-invocation-id", b"1"))
    await caller.call(app)
    assert caller.answer == (200, b"still here")


def test_an_answer_cut_off_on_purpose_is_no_news() -> None:
    """uvicorn's line about it is left out, and no other."""
    cut, other = (
        logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, text, None, None)
        for text in ("ASGI callable returned without completing response.", "Exception in ASGI application")
    )
    assert (_is_news(cut), _is_news(other)) == (False, True)
