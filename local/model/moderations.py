"""POST /moderations: a text is flagged for the categories that it names."""

from __future__ import annotations

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.model.reading import invalid, missing, read_object, text_of

CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


async def moderations(request: Request) -> Response:
    """Judge a string, each of a list of strings, or the parts of one input together."""
    body = await read_object(request)
    value = body.get("input")
    if value is None:
        raise missing("input")
    many = value if isinstance(value, list) and all(isinstance(item, str) for item in value) else [value]
    if not all(isinstance(item, str | list) for item in many):
        raise invalid("input", "a string, a list of strings or a list of parts")
    results = [_judge(text_of(item).lower()) for item in many]
    model = body.get("model") or "omni-moderation-latest"
    return JSONResponse({"id": f"modr-{uuid.uuid4().hex}", "model": model, "results": results})


def _judge(text: str) -> dict[str, Any]:
    categories = {name: name in text for name in CATEGORIES}
    scores = {name: 0.99 if found else 0.01 for name, found in categories.items()}
    applied = {name: ["text"] for name in CATEGORIES}
    return {
        "flagged": any(categories.values()),
        "categories": categories,
        "category_scores": scores,
        "category_applied_input_types": applied,
    }
