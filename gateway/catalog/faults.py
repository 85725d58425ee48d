"""pydantic's findings in the words of someone who has the document in front of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.catalog.backend_settings import UNION_TAGS
from gateway.errors import Fault

# With this pydantic ends the path of a finding about a mapping's key, behind the key itself.
KEY_STEP = "[key]"
LONGEST_KEY_SHOWN = 40


def faults_of(error: ValidationError, model: type[BaseModel], where: str, written: Any = None) -> list[Fault]:
    """Every finding as a Fault. `where` names the document, as in `apis/openai.yaml: Api openai`.

    `written` is what was validated, by which the places in the faults are those in the document.
    """
    details = error.errors(include_url=False, include_input=True)
    return [_fault(each, model, where, written) for each in details]


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """The end of a sentence about an unknown word: the nearest known one, or all if they are few."""
    near = nearest(word, known)
    if near is not None:
        return f'; did you mean "{near}"?'
    return f"; it may be {_either(known)}" if len(known) <= 8 else ""


def nearest(word: str, known: Sequence[str]) -> str | None:
    """The known word that somebody who wrote this one has probably meant; None if there is none like it."""
    by_folded = {each.lower().replace("_", ""): each for each in known}
    near = get_close_matches(word.lower().replace("_", ""), list(by_folded), n=1)
    return by_folded[near[0]] if near else None


def _fault(details: ErrorDetails, model: type[BaseModel], where: str, written: Any) -> Fault:
    location = list(details["loc"])
    if location[-1:] == [KEY_STEP]:
        *location, key, _ = location
        return Fault(
            _join(where, _steps(location, written)), f'has the key "{_short(key)}", which {_sentence(details)}'
        )
    unknown = str(location.pop()) if details["type"] == "extra_forbidden" else None
    steps = _steps(location, written)
    if unknown is not None:
        known = sorted(_known_fields(model, [step for step in steps if isinstance(step, str)]))
        return Fault(_join(where, steps), f'unknown field "{unknown}"{did_you_mean(unknown, known)}')
    return Fault(_join(where, steps), _sentence(details))


def _steps(location: Sequence[str | int], written: Any) -> list[str | int]:
    """The way to a value as it was written: without tags, and without the `[0]` of what stands there without a list."""
    steps: list[str | int] = []
    for step in location:
        is_alone = isinstance(step, int) and isinstance(written, dict) and step not in written
        if step in UNION_TAGS or is_alone:
            continue
        steps.append(step)
        written = _below(written, step)
    return steps


def _below(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    return value[step] if isinstance(value, list) and isinstance(step, int) else None


def _short(key: Any) -> str:
    text = "".join(each if each.isprintable() else "\ufffd" for each in str(key)[: LONGEST_KEY_SHOWN + 1])
    return text if len(text) <= LONGEST_KEY_SHOWN else f"{text[:LONGEST_KEY_SHOWN]}…"


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
        "greater_than": lambda _, context: f"must be greater than {context['gt']:.16g}",
        "greater_than_equal": lambda _, context: f"must be at least {context['ge']:.16g}",
        "less_than_equal": lambda _, context: f"must be at most {context['le']:.16g}",
        "literal_error": lambda _, context: f"must be {context['expected'].replace(chr(39), chr(34))}",
        "model_type": lambda _, __: "must be a mapping of fields",
        "dict_type": lambda _, __: "must be a mapping of fields",
        "tuple_type": lambda _, __: "must be a list",
        "too_long": lambda _, context: f"must be at most {context['max_length']} entries",
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
