"""POST /completions, the older operation without messages."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.model.answers import Answer, compose, cut, wanted
from local.model.events import DONE, event, event_stream
from local.model.reading import MOST_CHOICES, model_of, read_object, strings, whole_number
from local.model.token_input import TokenInput, read_inputs
from local.model.tokens import tokens_of
from local.model.wishes import Wishes


async def completions(request: Request) -> Response:
    """Answer each prompt `n` times, whole or as a stream."""
    body = await read_object(request)
    wishes = Wishes.of(request)
    head = {
        "id": f"cmpl-{uuid.uuid4().hex}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": model_of(request, body),
    }
    prompts = read_inputs(body, "prompt")
    answers = _answers(body, prompts, wanted(wishes))
    usage = None if wishes.no_usage else _usage(prompts, answers)
    if body.get("stream"):
        return event_stream(_stream(head, body, answers, usage, wishes))
    choices = [_choice(index, answer.text, answer.finish_reason) for index, answer in enumerate(answers)]
    return JSONResponse({**head, "choices": choices, **({} if usage is None else {"usage": usage})})


def _answers(body: dict[str, Any], prompts: list[TokenInput], said: str | None) -> list[Answer]:
    count = whole_number(body, "n", maximum=MOST_CHOICES) or 1
    maximum = whole_number(body, "max_tokens")
    stop = strings(body.get("stop"))
    return [cut(compose(prompt.text, said, index), stop, maximum) for prompt in prompts for index in range(count)]


def _usage(prompts: list[TokenInput], answers: list[Answer]) -> dict[str, int]:
    prompt = sum(item.tokens for item in prompts)
    completion = sum(answer.tokens for answer in answers)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _choice(index: int, text: str, finish_reason: str | None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish_reason}


def _stream(
    head: dict[str, Any], body: dict[str, Any], answers: list[Answer], usage: dict[str, int] | None, wishes: Wishes
) -> Iterator[str]:
    options = body.get("stream_options")
    with_usage = isinstance(options, dict) and bool(options.get("include_usage")) and usage is not None
    base = {**head, **({"usage": None} if with_usage else {})}
    for index, answer in enumerate(answers):
        for token in tokens_of(answer.text):
            yield event({**base, "choices": [_choice(index, token, None)]})
        yield event({**base, "choices": [_choice(index, "", answer.finish_reason)]})
    if with_usage:
        yield event({**base, "choices": [], "usage": usage})
    if not wishes.no_done:
        yield DONE
