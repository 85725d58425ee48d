"""Reads what the operations' bodies have in common; raises SafetyError where the real service refuses."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from local.content_safety.errors import invalid

LONGEST_TEXT = 10_000


async def read_object(request: Request) -> dict[str, Any]:
    """The body, which must be a JSON object."""
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise invalid("The request body is not JSON.") from error
    if not isinstance(body, dict):
        raise invalid("The request body must be a JSON object.")
    return body


def text_of(body: dict[str, Any], name: str, longest: int = LONGEST_TEXT) -> str:
    """A required text of 1 to `longest` code points."""
    text = body.get(name)
    if not isinstance(text, str) or not text:
        raise invalid(f"The field {name} must be a string that is not empty.")
    if len(text) > longest:
        raise invalid(f"The field {name} has {len(text)} characters, more than {longest}.")
    return text


def strings_of(body: dict[str, Any], name: str) -> list[str]:
    """A list of strings; absent or null is an empty one."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise invalid(f"The field {name} must be a list of strings.")
    return value


def choice_of(body: dict[str, Any], name: str, choices: tuple[str, ...]) -> str:
    """One of several words; the first where nothing is said."""
    value = body.get(name)
    if value is None:
        return choices[0]
    if value not in choices:
        raise invalid(f"The field {name} must be one of {', '.join(choices)}.")
    return str(value)
