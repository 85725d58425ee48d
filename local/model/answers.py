"""What the model says, as a rule that tests can repeat.

It echoes the start of the last user message; asked for N words, it recites N words; asked to say something, it says it.
It calls the tools that a user's message names, or that `tool_choice` forces, with arguments made from their schema.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from local.model.tokens import count_tokens, tokens_of
from local.model.wishes import Wishes

ECHOED_TOKENS = 20
# Some are longer than one byte a letter, for those who cut a stream at bytes.
WORDS = ("one", "größer", "than", "日本語", "and", "naïve", "as", "ever")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a function that the caller offered."""

    name: str
    arguments: str
    id: str

    @property
    def tokens(self) -> int:
        """What it costs."""
        return count_tokens(self.name) + count_tokens(self.arguments)


@dataclass(frozen=True, slots=True)
class Answer:
    """One choice: a text or tool calls, and why it ended there (`stop`, `length` or `tool_calls`)."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"

    @property
    def tokens(self) -> int:
        """What it costs: exactly what is delivered."""
        return count_tokens(self.text) + sum(call.tokens for call in self.calls)


def wanted(wishes: Wishes) -> str | None:
    """The text that the caller has asked for, if it has."""
    if wishes.words is not None:
        return " ".join(islice(cycle(WORDS), wishes.words))
    return wishes.say


def compose(prompt: str, wanted: str | None = None, index: int = 0) -> str:
    """The full text of an answer. The second and later choices of one request are numbered."""
    if wanted is not None:
        return wanted
    # JSON can carry half a surrogate pair, UTF-8 cannot.
    heard = prompt.encode(errors="replace").decode()
    text = "You said: " + "".join(tokens_of(heard)[:ECHOED_TOKENS]).strip()
    return text if index == 0 else f"{text} ({index + 1})"


def cut(text: str, stop: Sequence[str], maximum: int | None) -> Answer:
    """Generation ends before the first stop sequence, after `maximum` tokens, or by itself."""
    for sequence in filter(None, stop):
        text = text.partition(sequence)[0]
    tokens = tokens_of(text)
    if maximum is not None and len(tokens) > maximum:
        return Answer("".join(tokens[:maximum]), finish_reason="length")
    return Answer(text)


def structured(text: str, response_format: Any) -> str:
    """The text as JSON, if the caller asked for JSON, filling a schema if it gave one."""
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if kind == "json_schema":
        # Chat completions nest the schema, responses do not.
        holder = response_format.get("json_schema", response_format)
        return json.dumps(example_of(holder.get("schema", {})), ensure_ascii=False)
    return json.dumps({"answer": text}, ensure_ascii=False) if kind == "json_object" else text


def tool_calls(body: dict[str, Any], user_text: str | None) -> tuple[ToolCall, ...]:
    """The calls this request asks for; none when the last message is not from the user (`user_text` is None)."""
    # Chat completions nest the function, responses do not; the same goes for a forced choice.
    functions = {tool["name"]: tool for tool in map(_function, body.get("tools") or []) if "name" in tool}
    choice = body.get("tool_choice")
    if user_text is None or choice == "none":
        return ()
    if isinstance(choice, dict):
        names = [_function(choice).get("name")]
    else:
        names = [name for name in functions if name in user_text]
        if choice == "required" and not names:
            names = list(functions)[:1]
    if body.get("parallel_tool_calls") is False:
        names = names[:1]
    return tuple(_call(functions[name]) for name in names if name in functions)


def _function(tool: Any) -> dict[str, Any]:
    function = tool.get("function", tool) if isinstance(tool, dict) else None
    return function if isinstance(function, dict) else {}


def _call(function: dict[str, Any]) -> ToolCall:
    schema = {"type": "object", **(function.get("parameters") or {})}
    return ToolCall(function["name"], json.dumps(example_of(schema)), f"call_{uuid.uuid4().hex[:24]}")


def example_of(schema: Any) -> Any:
    """A value that a (plain) JSON schema allows."""
    if not isinstance(schema, dict):
        return {}
    for alternatives in (schema.get("anyOf"), schema.get("oneOf")):
        if alternatives:
            return example_of(alternatives[0])
    if "const" in schema or schema.get("enum"):
        return schema.get("const", (schema.get("enum") or [None])[0])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            return {name: example_of(value) for name, value in schema.get("properties", {}).items()}
        case "array":
            return [example_of(schema.get("items", {}))]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "null":
            return None
    return "text"
