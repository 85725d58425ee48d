"""The routes of the stand-in and what stands before them."""

from __future__ import annotations

import hmac
import json

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from local.content_safety.analysis import Analysis
from local.content_safety.blocklists import Blocklists
from local.content_safety.errors import SafetyError, answer_http_exception, answer_safety_error
from local.content_safety.faults import Fault, FaultInjection, Plan
from local.content_safety.journal import Journal
from local.model.counters import CONTROL, Counting

ROOT = "/contentsafety"
LISTS = f"{ROOT}/text/blocklists"
VERSIONS = ("2023-10-01", "2024-09-01")
SHIELD = f"{ROOT}/text:shieldPrompt"
ACCESS_DENIED = (
    "Access denied due to invalid subscription key or wrong API endpoint. "
    "Make sure to provide a valid key for an active subscription."
)


def create_application(journal: Journal, plan: Plan, blocklists: Blocklists, key: str | None = None) -> Starlette:
    """The ASGI application. With a key, callers must bring it, as a key or as a bearer token."""
    analysis = Analysis(blocklists)
    application = Starlette(
        routes=[
            Route(f"{ROOT}/text:analyze", analysis.text, methods=["POST"]),
            Route(SHIELD, analysis.shield, methods=["POST"]),
            Route(f"{ROOT}/image:analyze", analysis.image, methods=["POST"]),
            Route(LISTS, blocklists.show_all, methods=["GET"]),
            Route(f"{LISTS}/{{name}}:{{verb}}", blocklists.change_items, methods=["POST"]),
            Route(f"{LISTS}/{{name}}", blocklists.show, methods=["GET"]),
            Route(f"{LISTS}/{{name}}", blocklists.write, methods=["PATCH"]),
            Route(f"{LISTS}/{{name}}", blocklists.delete, methods=["DELETE"]),
            Route(f"{LISTS}/{{name}}/blocklistItems", blocklists.show_items, methods=["GET"]),
            Route(f"{LISTS}/{{name}}/blocklistItems/{{item}}", blocklists.show_item, methods=["GET"]),
            *_control(journal, plan),
        ],
        middleware=[
            Middleware(Counting, counters=journal),
            Middleware(FaultInjection, plan=plan, journal=journal),
            Middleware(Doorkeeper, key=key),
        ],
        exception_handlers={SafetyError: answer_safety_error, HTTPException: answer_http_exception},
    )
    application.router.redirect_slashes = False
    return application


def _control(journal: Journal, plan: Plan) -> list[Route]:
    async def stats(_: Request) -> Response:
        return JSONResponse(journal.snapshot())

    async def reset(_: Request) -> Response:
        journal.reset()
        plan.clear()
        return JSONResponse(journal.snapshot())

    async def faults(request: Request) -> Response:
        try:
            values = json.loads(await request.body())
        except ValueError as error:
            raise SafetyError(400, "The request body is not JSON.") from error
        plan.add(*(Fault.from_json(value) for value in (values if isinstance(values, list) else [values])))
        return Response(status_code=204)

    return [
        Route(f"{CONTROL}stats", stats, methods=["GET"]),
        Route(f"{CONTROL}reset", reset, methods=["POST"]),
        Route(f"{CONTROL}faults", faults, methods=["POST"]),
    ]


class Doorkeeper:
    """Middleware: refuses callers without the key, and versions of the API that do not exist."""

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self._app = app
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None if CONTROL in scope["path"] else self._refusal(Request(scope))
        await (self._app if refusal is None else refusal.response())(scope, receive, send)

    def _refusal(self, request: Request) -> SafetyError | None:
        if not self._has_key(request):
            return SafetyError(401, ACCESS_DENIED)
        version = request.query_params.get("api-version")
        # Prompt shields came with the second version.
        if version not in VERSIONS or (request.url.path == SHIELD and version == VERSIONS[0]):
            return SafetyError(404, "Resource not found", "404")
        return None

    def _has_key(self, request: Request) -> bool:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        given = request.headers.get("ocp-apim-subscription-key") or bearer
        return self._key is None or hmac.compare_digest(given.encode(), self._key.encode())
