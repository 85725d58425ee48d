"""operate: find the operation, and read the body of those whose body is JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gateway.call import Call, Reply
from gateway.errors import CallerError, GatewayError
from gateway.llm.operations import openai_operation, passthrough_operation
from gateway.llm.protocols import openai_protocol, passthrough_protocol

if TYPE_CHECKING:
    from gateway.catalog.snapshot import ApiEntry
    from gateway.pipeline import Next


# Brackets, commas and colons. What JSON becomes in memory depends on how many values it has, far more than on its
# length: 20 MiB of empty lists are half a gigabyte and a second's work. No model takes a prompt of so many parts.
MAXIMUM_MARKS = 1_000_000


Tell = Callable[[Call, GatewayError], None]


class Operate:
    """Sets `call.operation`, and where the body is JSON to be read `call.content`, `document`, `protocol` and `model`.

    Of a passthrough API bodies are read only if `reads_passthrough`, those of unknown protocols if `reads_all`, and
    refused for nothing but their size: what cannot be read goes on as it came, with no `document`.

    `tell` may add to what callers are told who are refused here.
    """

    def __init__(
        self, entry: ApiEntry, reads_passthrough: bool = False, reads_all: bool = False, tell: Tell | None = None
    ) -> None:
        self._run = self._openai if entry.api.type == "openai" else self._passthrough
        self._reads_passthrough = reads_passthrough
        self._reads_all = reads_all
        self._tell = tell
        self._parsed_limit = entry.max_request_bytes
        self._streamed_limit = entry.api.max_request_bytes

    async def __call__(self, call: Call, next: Next) -> Reply:
        try:
            await self._run(call)
        except GatewayError as error:
            if self._tell is not None:
                self._tell(call, error)
            raise
        return await next(call)

    async def _openai(self, call: Call) -> None:
        call.operation = openai_operation(call.method, call.rest)
        if not call.operation.parsed:
            call.body.limit_to(self._streamed_limit)
            return
        require_json_type(call)
        call.protocol = openai_protocol(call.operation)
        call.document = parse_object(await self._read(call))
        call.model = _model(call.document) or call.operation.deployment

    async def _passthrough(self, call: Call) -> None:
        call.operation = passthrough_operation(call.method, call.rest)
        found = passthrough_protocol(call.rest) if self._reads_passthrough and call.method == "POST" else None
        if not (found or (self._reads_all and not call.body.is_complete())) or not _is_json(call):
            call.body.limit_to(self._streamed_limit)
            return
        call.protocol, call.model = found or (None, None)
        content = await self._read(call)
        try:
            call.document = parse_object(content)
        except CallerError:
            return
        call.model = call.model or _model(call.document)

    async def _read(self, call: Call) -> bytes:
        call.body.limit_to(self._parsed_limit)
        try:
            call.content = await call.body.read()
        finally:
            call.caller_seconds += call.body.waited_seconds
        return call.content


def _model(document: dict[str, Any]) -> str | None:
    model = document.get("model")
    return model if isinstance(model, str) else None


def _is_json(call: Call) -> bool:
    try:
        require_json_type(call)
    except CallerError:
        return False
    return True


def require_json_type(call: Call) -> None:
    """415 unless the body is declared to be JSON (`application/json` or a type ending in `+json`), not compressed."""
    declared = (call.header(b"content-type") or "").partition(";")[0].strip().lower()
    if declared != "application/json" and not declared.endswith("+json"):
        raise CallerError("UnsupportedMediaType", headers={"accept-post": "application/json"})
    if (call.header(b"content-encoding") or "identity").strip().lower() != "identity":
        raise CallerError("UnsupportedMediaType", "Send this operation's body as it is, without a Content-Encoding.")


def parse_object(content: bytes) -> dict[str, Any]:
    """The body as an object. Raises CallerError with the place of the fault, never with the text around it.

    RFC 8259: UTF-8, without a byte order mark, and without the NaN and Infinity that Python's parser would take. No
    object may name a field twice.
    """
    _require_few_marks(content)
    try:
        document = DECODER.decode(content.decode())
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise CallerError("InvalidJson", f"The body is not valid JSON: {error.msg} at {place}.") from None
    except UnicodeDecodeError:
        raise CallerError("InvalidJson", "The body is not valid JSON: it is not UTF-8 text.") from None
    except (RecursionError, ValueError):
        raise CallerError(
            "InvalidJson",
            "The body is not valid JSON: it nests too deep, or holds a number that is far too long.",
        ) from None
    if not isinstance(document, dict):
        raise CallerError("InvalidBody")
    return document


def _require_few_marks(content: bytes) -> None:
    # Those inside texts count too: telling them apart would cost what this is to save.
    if len(content) > MAXIMUM_MARKS and sum(map(content.count, b"[{,:")) > MAXIMUM_MARKS:
        raise CallerError("RequestTooLarge", f"The body holds more than {MAXIMUM_MARKS:,} brackets, commas and colons.")


def _refuse(constant: str) -> Any:
    raise CallerError("InvalidJson", f"The body is not valid JSON: {constant} is no number in it.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        # RFC 8259 leaves it open which one counts: what is read here would not be what the backend reads.
        raise CallerError("InvalidJson", "The body names a field twice in one object.")
    return fields


DECODER = json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=_unique)
