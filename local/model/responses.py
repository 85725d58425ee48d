"""POST /responses, and GET and DELETE of the last few."""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.model.answers import Answer, compose, cut, structured, tool_calls, wanted
from local.model.errors import ModelError
from local.model.events import event_stream
from local.model.reading import invalid, missing, model_of, read_object, text_of, whole_number
from local.model.response_events import events_of
from local.model.tokens import count_tokens
from local.model.wishes import Wishes

KEPT = 100


class Responses:
    """The three operations and the responses they share."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, dict[str, Any]] = OrderedDict()

    async def create(self, request: Request) -> Response:
        """Answer the last user message, whole or as a stream of events."""
        body = await read_object(request)
        wishes = Wishes.of(request)
        model = model_of(request, body)
        items = _items(body)
        answer = _answer(body, items, wanted(wishes))
        response = _describe(body, model, answer, None if wishes.no_usage else _usage(body, items, answer))
        if body.get("store", True):
            self._keep(response)
        return event_stream(events_of(response)) if body.get("stream") else JSONResponse(response)

    async def show(self, request: Request) -> Response:
        """A response made before."""
        return JSONResponse(self._find(request))

    async def delete(self, request: Request) -> Response:
        """Forget a response."""
        response = self._kept.pop(self._find(request)["id"])
        return JSONResponse({"id": response["id"], "object": "response", "deleted": True})

    def _keep(self, response: dict[str, Any]) -> None:
        self._kept[response["id"]] = response
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def _find(self, request: Request) -> dict[str, Any]:
        name = request.path_params["response"]
        if name not in self._kept:
            raise ModelError(404, f"Response with id '{name}' not found.", parameter="id")
        return self._kept[name]


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    value = body.get("input")
    if value is None:
        raise missing("input")
    items = [{"role": "user", "content": value}] if isinstance(value, str) else value
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise invalid("input", "a string or a list of items")
    return items


def _answer(body: dict[str, Any], items: list[dict[str, Any]], said: str | None) -> Answer:
    prompt = next((text_of(item.get("content")) for item in reversed(items) if item.get("role") == "user"), "")
    calls = tool_calls(body, prompt if items[-1].get("role") == "user" else None)
    if calls:
        return Answer("", calls, "tool_calls")
    text = body.get("text")
    shape = text.get("format") if isinstance(text, dict) else None
    return cut(structured(compose(prompt, said), shape), (), whole_number(body, "max_output_tokens"))


def _usage(body: dict[str, Any], items: list[dict[str, Any]], answer: Answer) -> dict[str, Any]:
    """As for chat completions; the instructions and a tool's output are messages too."""
    texts = [text_of(item.get("content", item.get("output"))) for item in items]
    texts += [body["instructions"]] if isinstance(body.get("instructions"), str) else []
    given = sum(1 + count_tokens(text) for text in texts)
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": answer.tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + answer.tokens,
    }


def _describe(body: dict[str, Any], model: str, answer: Answer, usage: dict[str, Any] | None) -> dict[str, Any]:
    is_cut = answer.finish_reason == "length"
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "incomplete" if is_cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "model": model,
        "output": _output(answer),
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        **({} if usage is None else {"usage": usage}),
    }


def _output(answer: Answer) -> list[dict[str, Any]]:
    calls = [
        {
            "type": "function_call",
            "id": f"fc_{uuid.uuid4().hex}",
            "status": "completed",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        }
        for call in answer.calls
    ]
    if calls:
        return calls
    part = {"type": "output_text", "text": answer.text, "annotations": []}
    status = "incomplete" if answer.finish_reason == "length" else "completed"
    return [
        {"type": "message", "id": f"msg_{uuid.uuid4().hex}", "status": status, "role": "assistant", "content": [part]}
    ]
