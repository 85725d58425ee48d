"""Tells a response as the events that lead to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.cache.answers.telling.events import named_event
from gateway.cache.answers.telling.fresh import Fresh
from gateway.cache.answers.telling.pieces import described_pieces, pieces
from gateway.cache.answers.template import times_in
from gateway.llm.json_values import text_of
from gateway.llm.tokens import Protocol

Document = Mapping[str, Any]
Told = Iterator[tuple[str, Document]]

# The last part of the events' names, and where the text stands.
CALLS = {
    "function_call": ("function_call_arguments", "arguments"),
    "custom_tool_call": ("custom_tool_call_input", "input"),
}


def tell_response(document: Document, fresh: Fresh) -> Iterator[bytes]:
    """Numbered from 0; the last has the whole response."""
    response = {**document, "id": fresh.id, **dict.fromkeys(times_in(Protocol.RESPONSES, document), fresh.now)}
    for number, (kind, fields) in enumerate(_tell(response)):
        yield named_event({"type": f"response.{kind}", "sequence_number": number, **fields})


def _tell(response: Document) -> Told:
    later = {name: None for name in ("usage", "completed_at") if name in response}
    begun = {**response, **later, "status": "in_progress", "output": []}
    yield "created", {"response": begun}
    yield "in_progress", {"response": begun}
    for index, item in enumerate(response["output"]):
        yield from _item(item, index)
    yield "completed", {"response": response}


def _item(item: Document, index: int) -> Told:
    empty: Document
    place = {"item_id": item.get("id") or "", "output_index": index}
    if item["type"] in CALLS:
        name, text = CALLS[item["type"]]
        empty, told = {text: ""}, _call(item, place, name, text)
    elif item["type"] == "reasoning":
        empty, told = {name: [] for name in ("summary", "content") if item.get(name)}, _reasoning(item, place)
    else:
        empty, told = {"content": []}, _parts(item, place)
    status = {"status": "in_progress"} if "status" in item else {}
    yield "output_item.added", {"output_index": index, "item": {**item, **status, **empty}}
    yield from told
    yield "output_item.done", {"output_index": index, "item": item}


def _call(item: Document, place: Document, name: str, text: str) -> Told:
    for piece in pieces(item[text]):
        yield f"{name}.delta", {**place, "delta": piece}
    named = {"name": item["name"]} if name == "function_call_arguments" and "name" in item else {}
    yield f"{name}.done", {**place, **named, text: item[text]}


def _reasoning(item: Document, place: Document) -> Told:
    for index, part in enumerate(item.get("summary") or ()):
        spot, text = {**place, "summary_index": index}, text_of(part.get("text"))
        yield "reasoning_summary_part.added", {**spot, "part": {**part, "text": ""}}
        for piece in pieces(text):
            yield "reasoning_summary_text.delta", {**spot, "delta": piece}
        yield "reasoning_summary_text.done", {**spot, "text": text}
        yield "reasoning_summary_part.done", {**spot, "part": part}
    for index, part in enumerate(item.get("content") or ()):
        spot, text = {**place, "content_index": index}, text_of(part.get("text"))
        yield "content_part.added", {**spot, "part": {**part, "text": ""}}
        for piece in pieces(text):
            yield "reasoning_text.delta", {**spot, "delta": piece}
        yield "reasoning_text.done", {**spot, "text": text}
        yield "content_part.done", {**spot, "part": part}


def _parts(item: Document, place: Document) -> Told:
    for index, part in enumerate(item.get("content") or ()):
        spot, text, logprobs = {**place, "content_index": index}, part.get("text") or "", part.get("logprobs") or []
        lists: Document = {name: [] for name in ("annotations", "logprobs") if part.get(name)}
        yield "content_part.added", {**spot, "part": {**part, **lists, "text": ""}}
        for piece, described in described_pieces(text, [entry.get("token") for entry in logprobs]):
            yield "output_text.delta", {**spot, "delta": piece, "logprobs": logprobs[described]}
        for number, annotation in enumerate(part.get("annotations") or ()):
            yield "output_text.annotation.added", {**spot, "annotation_index": number, "annotation": annotation}
        yield "output_text.done", {**spot, "text": text, "logprobs": logprobs}
        yield "content_part.done", {**spot, "part": part}
