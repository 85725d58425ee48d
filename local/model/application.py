"""The routes of the stand-in model and what stands before them."""

from __future__ import annotations

import hmac

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from local.model.catalog import list_models, show_model
from local.model.chat import chat_completions
from local.model.completions import completions
from local.model.counters import CONTROL, Counters, Counting
from local.model.echo import Echo
from local.model.embeddings import embeddings
from local.model.errors import ModelError, answer_http_exception, answer_model_error
from local.model.faults import FaultInjection
from local.model.media import edit_image, generate_images, speak, transcribe
from local.model.moderations import moderations
from local.model.responses import Responses

DEPLOYMENT = "/openai/deployments/{deployment}"
# OpenAI's, Azure's two, each with and without /v1. The longer come first: a Mount takes all that begins like it.
PREFIXES = (f"/v1{DEPLOYMENT}", DEPLOYMENT, "/openai/v1", "/v1/openai", "/openai", "/v1", "")


def create_application(counters: Counters, key: str | None = None) -> Starlette:
    """The ASGI application. With a key, callers must bring it."""
    operations = Router(_operations(counters), redirect_slashes=False)
    application = Starlette(
        routes=[Mount(prefix, app=operations) for prefix in PREFIXES],
        middleware=[
            Middleware(Counting, counters=counters),
            Middleware(FaultInjection),
            Middleware(KeyCheck, key=key),
        ],
        exception_handlers={ModelError: answer_model_error, HTTPException: answer_http_exception},
    )
    application.router.redirect_slashes = False
    return application


def _operations(counters: Counters) -> list[Route]:
    responses = Responses()

    async def stats(_: Request) -> Response:
        return JSONResponse(counters.snapshot())

    async def reset(_: Request) -> Response:
        counters.reset()
        return JSONResponse(counters.snapshot())

    return [
        Route("/chat/completions", chat_completions, methods=["POST"]),
        Route("/completions", completions, methods=["POST"]),
        Route("/embeddings", embeddings, methods=["POST"]),
        Route("/responses", responses.create, methods=["POST"]),
        Route("/responses/{response}", responses.show, methods=["GET"]),
        Route("/responses/{response}", responses.delete, methods=["DELETE"]),
        Route("/models", list_models, methods=["GET"]),
        Route("/models/{model:path}", show_model, methods=["GET"]),
        Route("/moderations", moderations, methods=["POST"]),
        Route("/images/generations", generate_images, methods=["POST"]),
        Route("/images/edits", edit_image, methods=["POST"]),
        Route("/images/variations", edit_image, methods=["POST"]),
        Route("/audio/transcriptions", transcribe, methods=["POST"]),
        Route("/audio/translations", transcribe, methods=["POST"]),
        Route("/audio/speech", speak, methods=["POST"]),
        Route("/echo", Echo()),
        Route("/echo/{rest:path}", Echo()),
        Route(f"{CONTROL}stats", stats, methods=["GET"]),
        Route(f"{CONTROL}reset", reset, methods=["POST"]),
    ]


class KeyCheck:
    """Middleware: refuses callers without the key, in OpenAI's or Azure's header, everywhere but at the counters."""

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self._app = app
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._key is None or CONTROL in scope["path"] or self._has_key(Request(scope)):
            return await self._app(scope, receive, send)
        refusal = ModelError(401, "Incorrect API key provided.", code="invalid_api_key")
        return await refusal.response()(scope, receive, send)

    def _has_key(self, request: Request) -> bool:
        given = request.headers.get("api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), (self._key or "").encode())
