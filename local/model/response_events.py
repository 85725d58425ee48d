"""A response told as the events that lead to it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from local.model.events import event
from local.model.tokens import tokens_of

Fields = dict[str, Any]


def events_of(response: Fields) -> Iterator[str]:
    """Server-sent events, numbered from 0, the last of them with the whole response and its usage."""
    numbers = count()
    for kind, fields in _tell(response):
        yield event({"type": kind, "sequence_number": next(numbers), **fields}, name=kind)


def _tell(response: Fields) -> Iterator[tuple[str, Fields]]:
    begun = {**response, "status": "in_progress", "incomplete_details": None, "output": [], "usage": None}
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for index, item in enumerate(response["output"]):
        place = {"output_index": index, "item_id": item["id"]}
        is_call = item["type"] == "function_call"
        empty: Fields = {"arguments": ""} if is_call else {"content": []}
        yield "response.output_item.added", {"output_index": index, "item": {**item, "status": "in_progress", **empty}}
        yield from _tell_call(item, place) if is_call else _tell_text(item, place)
        yield "response.output_item.done", {"output_index": index, "item": item}
    yield f"response.{response['status']}", {"response": response}


def _tell_text(item: Fields, place: Fields) -> Iterator[tuple[str, Fields]]:
    for index, part in enumerate(item["content"]):
        spot = {**place, "content_index": index}
        yield "response.content_part.added", {**spot, "part": {**part, "text": ""}}
        for token in tokens_of(part["text"]):
            yield "response.output_text.delta", {**spot, "delta": token, "logprobs": []}
        yield "response.output_text.done", {**spot, "text": part["text"], "logprobs": []}
        yield "response.content_part.done", {**spot, "part": part}


def _tell_call(item: Fields, place: Fields) -> Iterator[tuple[str, Fields]]:
    for token in tokens_of(item["arguments"]):
        yield "response.function_call_arguments.delta", {**place, "delta": token}
    yield "response.function_call_arguments.done", {**place, "name": item["name"], "arguments": item["arguments"]}
