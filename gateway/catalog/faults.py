"""pydantic's findings in the words of someone who has the document in front of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.catalog.models import UNION_TAGS
from gateway.errors import Fault


def faults_of(error: ValidationError, model: type[BaseModel], where: str) -> list[Fault]:
    """Every finding as a Fault. `where` names the document, as in `apis/openai.yaml: Api openai`."""
    details = error.errors(include_url=False, include_input=True)
    return [_fault(each, model, where) for each in details]


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """The end of a sentence about an unknown word: the nearest known one, or all if they are few."""
    by_folded = {each.lower().replace("_", ""): each for each in known}
    near = get_close_matches(word.lower().replace("_", ""), list(by_folded), n=1)
    if near:
        return f'; did you mean "{by_folded[near[0]]}"?'
    return f"; it may be {_either(known)}" if len(known) <= 8 else ""


def _fault(details: ErrorDetails, model: type[BaseModel], where: str) -> Fault:
    location = list(details["loc"])
    unknown = str(location.pop()) if details["type"] == "extra_forbidden" else None
    steps = [step for step in location if step not in UNION_TAGS]
    if unknown is not None:
        known = sorted(_known_fields(model, [step for step in steps if isinstance(step, str)]))
        return Fault(_join(where, steps), f'unknown field "{unknown}"{did_you_mean(unknown, known)}')
    return Fault(_join(where, steps), _sentence(details))


def _join(where: str, steps: list[Any]) -> str:
    path = ""
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return f"{where}: {path}" if path else where


def _sentence(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    write = SENTENCES.get(details["type"])
    if write is not None:
        return write(details["input"], context)
    message = details["msg"]
    return message[:1].lower() + message[1:]


def _text(value: Any, _: Mapping[str, Any]) -> str:
    if isinstance(value, bool | int | float):
        return "must be text; put it in quotes"
    return "must be text"


SENTENCES: Mapping[str, Callable[[Any, Mapping[str, Any]], str]] = MappingProxyType(
    {
        "missing": lambda _, __: "is required",
        "value_error": lambda _, context: str(context["error"]),
        "string_type": _text,
        "string_unicode": lambda _, __: "must be text of whole characters, and has half of one",
        "string_too_long": lambda _, context: f"must be at most {context['max_length']} characters",
        "int_type": lambda _, __: "must be a whole number",
        "int_from_float": lambda _, __: "must be a whole number",
        "float_type": lambda _, __: "must be a number",
        "finite_number": lambda _, __: "must be a finite number",
        "bool_type": lambda _, __: "must be true or false, without quotes",
        "greater_than": lambda _, context: f"must be greater than {context['gt']:g}",
        "greater_than_equal": lambda _, context: f"must be at least {context['ge']:g}",
        "less_than_equal": lambda _, context: f"must be at most {context['le']:g}",
        "literal_error": lambda _, context: f"must be {context['expected'].replace(chr(39), chr(34))}",
        "model_type": lambda _, __: "must be a mapping of fields",
        "dict_type": lambda _, __: "must be a mapping of fields",
        "tuple_type": lambda _, __: "must be a list",
        "too_long": lambda _, context: f"must be at most {context['max_length']} entries",
        "string_too_short": lambda _, context: f"must be at least {context['min_length']} characters",
        "list_type": lambda _, __: "must be a list",
    }
)


def _known_fields(model: type[BaseModel], steps: list[str]) -> set[str]:
    models = {model}
    for step in steps:
        # A step that is no field is a key of a mapping, and leads to the same models.
        models = {inner for each in models for inner in _models_below(each, step)} or models
    return {field.alias or name for each in models for name, field in each.model_fields.items()}


def _models_below(model: type[BaseModel], alias: str) -> Iterator[type[BaseModel]]:
    for field in model.model_fields.values():
        if field.alias == alias:
            yield from _models_in(field.annotation)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _either(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} or {words[-1]}"
