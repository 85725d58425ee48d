"""GET /models and /models/{id}."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.model.reading import MISSING_MODEL, model_not_found

LISTED = ("stand-in", "gpt-4o-mini", "gpt-4o", "text-embedding-3-small")
CREATED = 1_700_000_000


async def list_models(_: Request) -> Response:
    """Some models; any other name works too."""
    return JSONResponse({"object": "list", "data": [_describe(name) for name in LISTED]})


async def show_model(request: Request) -> Response:
    """The model of that name, which exists unless it is `missing`."""
    name = request.path_params["model"]
    if name == MISSING_MODEL:
        raise model_not_found(name)
    return JSONResponse(_describe(name))


def _describe(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "stand-in"}
