"""YAML as plain values: only what JSON has, every fault with its line, and nothing that could grow without bounds.

PyYAML's own constructors are not used: they make dates of text, let a second key overwrite the first, and follow
aliases. Only its C parser is, which gives the tree of the text.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import yaml

LARGEST_TEXT_BYTES = 16 * 1024 * 1024
DEEPEST = 50

NULL = "tag:yaml.org,2002:null"
BOOL = "tag:yaml.org,2002:bool"
INT = "tag:yaml.org,2002:int"
FLOAT = "tag:yaml.org,2002:float"
STR = "tag:yaml.org,2002:str"
MAP = "tag:yaml.org,2002:map"
SEQ = "tag:yaml.org,2002:seq"


class YamlFault(Exception):
    """The text cannot be read; the message says why and where."""


# YAML 1.2's core schema. In PyYAML's 1.1, `no` is false, `12:30` is 750 and a date is not text.
PLAIN_TYPES = (
    (NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (INT, r"[-+]?[0-9]+", list("-+0123456789")),
    (FLOAT, r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    (FLOAT, r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", list("-+.")),
)


class _Parser(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Builds trees; reads plain words by `PLAIN_TYPES` alone."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


class _Writer(yaml.SafeDumper):
    """Puts into quotes what either version of YAML would take for something other than text."""


for _tag, _pattern, _first in PLAIN_TYPES:
    for _class in (_Parser, _Writer):
        _class.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _first)


def read_values(text: str) -> list[Any]:
    """The documents in a text as dicts, lists, text, numbers, booleans and None; raise YamlFault.

    Documents with nothing in them (as between two `---`) are left out.
    """
    if len(text.encode(errors="replace")) > LARGEST_TEXT_BYTES:
        raise YamlFault("is larger than 16 MiB; split it into several files")
    if text.lstrip().startswith(("{", "[")):
        value = _try_json(text)
        if value is not None:
            # A list in JSON is what several documents are in YAML: it has no `---`.
            return value if isinstance(value, list) else [value]
    try:
        _check_events(yaml.parse(text, Loader=_Parser))
        nodes = list(yaml.compose_all(text, Loader=_Parser))
    except yaml.MarkedYAMLError as error:
        raise YamlFault(_syntax(error)) from error
    except yaml.YAMLError as error:
        raise YamlFault(f"is not valid YAML: {_one_line(str(error))}") from error
    return [_value(node) for node in nodes if node is not None and node.tag != NULL]


def write_values(values: Sequence[Any]) -> str:
    """The values as one text, a YAML document each, in the order of their fields."""
    text: str = yaml.dump_all(
        values, Dumper=_Writer, sort_keys=False, allow_unicode=True, explicit_start=True, width=120
    )
    return text


def _try_json(text: str) -> Any:
    # JSON writes characters beyond 16 bits as two escapes, which YAML's escapes do not allow.
    try:
        # NaN is read here and refused by the model, which knows the field.
        return json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise YamlFault(f'has the key "{key}" twice')
        found[key] = value
    return found


def _check_events(events: Iterator[yaml.Event]) -> None:
    """Judged before a tree is built: aliases can make a small text huge, and deep nesting exhausts the stack."""
    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise YamlFault(f'{_line(event.start_mark)}: aliases ("*{event.anchor}") are not allowed; write it out')
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise YamlFault(f"{_line(event.start_mark)}: is nested more than {DEEPEST} levels deep")


def _value(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode) and node.tag == MAP:
        return _mapping(node)
    if isinstance(node, yaml.SequenceNode) and node.tag == SEQ:
        return [_value(item) for item in node.value]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    raise YamlFault(f"{_line(node.start_mark)}: the tag {node.tag} is not allowed")


def _mapping(node: yaml.MappingNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        if key.tag != STR:
            raise YamlFault(f"{_line(key.start_mark)}: a key must be text; put it in quotes if it is meant")
        if key.value in found:
            raise YamlFault(f'{_line(key.start_mark)}: the key "{key.value}" is there twice')
        found[key.value] = _value(value)
    return found


def _scalar(node: yaml.ScalarNode) -> Any:
    text: str = node.value
    if node.tag == STR:
        return text
    if node.tag == NULL:
        return None
    if node.tag == BOOL:
        return text.lower() == "true"
    if node.tag in (INT, FLOAT):
        return _number(node, text)
    raise YamlFault(f"{_line(node.start_mark)}: the tag {node.tag} is not allowed")


def _number(node: yaml.ScalarNode, text: str) -> int | float:
    # Python refuses to read integers of thousands of digits, with an error of its own.
    try:
        number = int(text) if node.tag == INT and len(text) < 100 else float(text.replace(".inf", "inf"))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise YamlFault(f"{_line(node.start_mark)}: numbers must be finite")
    return number


def _line(mark: Any) -> str:
    return f"line {mark.line + 1}" if mark else "somewhere"


def _syntax(error: yaml.MarkedYAMLError) -> str:
    what = _one_line(error.problem or "it cannot be read")
    return f"{_line(error.problem_mark or error.context_mark)}: is not valid YAML: {what}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
