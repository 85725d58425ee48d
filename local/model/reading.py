"""Reads what OpenAI requests have in common; raises ModelError where the real service refuses."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from local.model.errors import ModelError

MISSING_MODEL = "missing"
MOST_CHOICES = 128


async def read_object(request: Request) -> dict[str, Any]:
    """The body, which must be a JSON object."""
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise ModelError(400, f"The body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ModelError(400, "The body must be a JSON object.")
    return body


def model_of(request: Request, body: dict[str, Any]) -> str:
    """The model asked for: Azure's deployment in the path, else `model` in the body. Any name but `missing` exists."""
    model = request.path_params.get("deployment") or body.get("model")
    if not isinstance(model, str) or not model:
        raise missing("model")
    if model == MISSING_MODEL:
        raise model_not_found(model)
    return model


def model_not_found(model: str) -> ModelError:
    """The refusal of a model that does not exist."""
    return ModelError(404, f"The model `{model}` does not exist.", code="model_not_found", parameter="model")


def missing(parameter: str) -> ModelError:
    """The refusal of a request that lacks a parameter."""
    message = f"Missing required parameter: '{parameter}'."
    return ModelError(400, message, code="missing_required_parameter", parameter=parameter)


def invalid(parameter: str, wanted: str) -> ModelError:
    """The refusal of a parameter that is not what it must be."""
    return ModelError(400, f"'{parameter}' must be {wanted}.", code="invalid_value", parameter=parameter)


def whole_number(body: dict[str, Any], *names: str, maximum: int | None = None) -> int | None:
    """The first of these parameters that is given; it must be 1 or more."""
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        if type(value) is not int or value < 1 or (maximum is not None and value > maximum):
            raise invalid(name, "a whole number from 1" + (f" to {maximum}" if maximum else ""))
        return value
    return None


def objects(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A parameter that must be a list of objects, and not empty."""
    if body.get(name) is None:
        raise missing(name)
    value = body[name]
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        raise invalid(name, "a list of objects, at least one")
    return value


def strings(value: Any) -> list[str]:
    """A string, a list of strings, or nothing, as a list: what `stop` may be."""
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def text_of(content: Any) -> str:
    """The text of a message: its content, or the texts among the parts of its content."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return " ".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
