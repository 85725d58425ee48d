"""operate: find the operation, and read the body of those whose body is JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gateway.call import Call, Reply
from gateway.errors import CallerError
from gateway.llm.operations import openai_operation, passthrough_operation

if TYPE_CHECKING:
    from gateway.catalog.snapshot import ApiEntry
    from gateway.pipeline import Next


class Operate:
    """Sets `call.operation`, and for JSON operations `call.content` and `call.document`."""

    def __init__(self, entry: ApiEntry) -> None:
        self._match = openai_operation if entry.api.type == "openai" else passthrough_operation
        self._parsed_limit = entry.max_request_bytes
        self._streamed_limit = entry.api.max_request_bytes

    async def __call__(self, call: Call, next: Next) -> Reply:
        call.operation = self._match(call.method, call.rest)
        if not call.operation.parsed:
            call.body.limit_to(self._streamed_limit)
            return await next(call)
        require_json_type(call)
        call.body.limit_to(self._parsed_limit)
        call.content = await call.body.read()
        call.document = parse_object(call.content)
        return await next(call)


def require_json_type(call: Call) -> None:
    """415 unless the body is declared to be JSON (`application/json` or a type ending in `+json`)."""
    declared = (call.header(b"content-type") or "").partition(";")[0].strip().lower()
    if declared != "application/json" and not declared.endswith("+json"):
        raise CallerError("UnsupportedMediaType", headers={"accept-post": "application/json"})


def parse_object(content: bytes) -> dict[str, Any]:
    """The body as an object. Raises CallerError with the place of the fault, never with the text around it."""
    try:
        document = json.loads(content)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise CallerError("InvalidJson", f"The body is not valid JSON: {error.msg} at {place}.") from None
    except UnicodeDecodeError:
        raise CallerError("InvalidJson", "The body is not valid JSON: it is not UTF-8 text.") from None
    except (RecursionError, ValueError):
        raise CallerError(
            "InvalidJson", "The body is not valid JSON: it nests too deep or holds an absurd number."
        ) from None
    if not isinstance(document, dict):
        raise CallerError("InvalidBody")
    return document
