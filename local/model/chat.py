"""POST /chat/completions."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.model.answers import Answer, ToolCall, compose, cut, structured, tool_calls, wanted
from local.model.events import DONE, event, event_stream
from local.model.reading import MOST_CHOICES, model_of, objects, read_object, strings, text_of, whole_number
from local.model.tokens import count_tokens, tokens_of
from local.model.wishes import Wishes


async def chat_completions(request: Request) -> Response:
    """Answer the last user message, in text or with tool calls, whole or as a stream."""
    body = await read_object(request)
    wishes = Wishes.of(request)
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model_of(request, body)}
    messages = objects(body, "messages")
    answers = _answers(body, messages, wanted(wishes))
    usage = None if wishes.no_usage else _usage(messages, answers)
    if body.get("stream"):
        return event_stream(_stream(head, body, answers, usage, wishes))
    whole: dict[str, Any] = {**head, "object": "chat.completion", "choices": _choices(answers)}
    if usage is not None:
        whole["usage"] = usage
    return JSONResponse(whole)


def _answers(body: dict[str, Any], messages: list[dict[str, Any]], said: str | None) -> list[Answer]:
    count = whole_number(body, "n", maximum=MOST_CHOICES) or 1
    maximum = whole_number(body, "max_completion_tokens", "max_tokens")
    prompt = next((text_of(item.get("content")) for item in reversed(messages) if item.get("role") == "user"), "")
    calls = tool_calls(body, prompt if messages[-1].get("role") == "user" else None)
    if calls:
        return [Answer("", calls, "tool_calls")] * count
    texts = [structured(compose(prompt, said, index), body.get("response_format")) for index in range(count)]
    return [cut(text, strings(body.get("stop")), maximum) for text in texts]


def _usage(messages: list[dict[str, Any]], answers: list[Answer]) -> dict[str, int]:
    """A message costs the tokens of its text and one for its role. Pictures, tools and past tool calls are free."""
    prompt = sum(1 + count_tokens(text_of(message.get("content"))) for message in messages)
    completion = sum(answer.tokens for answer in answers)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _choices(answers: list[Answer]) -> list[dict[str, Any]]:
    choices = []
    for index, answer in enumerate(answers):
        message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None}
        if answer.calls:
            message |= {"content": None, "tool_calls": [_whole_call(call) for call in answer.calls]}
        choices.append({"index": index, "message": message, "logprobs": None, "finish_reason": answer.finish_reason})
    return choices


def _whole_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _stream(
    head: dict[str, Any], body: dict[str, Any], answers: list[Answer], usage: dict[str, int] | None, wishes: Wishes
) -> Iterator[str]:
    options = body.get("stream_options")
    with_usage = isinstance(options, dict) and bool(options.get("include_usage")) and usage is not None
    # Once the last chunk is to have a usage, all the others say that theirs is null.
    base = {**head, "object": "chat.completion.chunk", **({"usage": None} if with_usage else {})}
    for index, answer in enumerate(answers):
        for delta in _deltas(answer):
            yield event({**base, "choices": [{"index": index, "delta": delta, "finish_reason": None}]})
        yield event({**base, "choices": [{"index": index, "delta": {}, "finish_reason": answer.finish_reason}]})
    if with_usage:
        yield event({**base, "choices": [], "usage": usage})
    if not wishes.no_done:
        yield DONE


def _deltas(answer: Answer) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": None if answer.calls else ""}
    for token in tokens_of(answer.text):
        yield {"content": token}
    for position, call in enumerate(answer.calls):
        opening = {"name": call.name, "arguments": ""}
        yield {"tool_calls": [{"index": position, "id": call.id, "type": "function", "function": opening}]}
        for token in tokens_of(call.arguments):
            yield {"tool_calls": [{"index": position, "function": {"arguments": token}}]}
