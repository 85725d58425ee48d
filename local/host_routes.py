"""Which function a request is for: the route templates, methods and levels that the worker reported.

A template is a path of literals and parameters: `{name}` takes one segment, `{name?}` may be missing at the end,
`{name:int}` is constrained, `{*rest}` takes everything. As in the Functions host, functions are tried in the order of
their names, not of how specific their routes are, and the first whose path and method match is called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

RESERVED = frozenset({"admin", "runtime"})

CONSTRAINTS = MappingProxyType(
    {
        "alpha": r"[A-Za-z]+",
        "int": r"-?\d+",
        "long": r"-?\d+",
        "bool": r"(?i:true|false)",
        "guid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    }
)

_PARAMETER = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?::(?P<constraint>[^{}?]+))?(?P<optional>\?)?\}")
_ENCODED_SLASH = re.compile("(%2[fF])")


class RouteError(ValueError):
    """A route or trigger that this host cannot serve; the message names the function."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function with an HTTP trigger. No methods means every method."""

    identifier: str
    name: str
    route: str
    methods: frozenset[str]
    level: str
    pattern: re.Pattern[str]


class RouteTable:
    """The functions in the order in which they are tried."""

    def __init__(self, functions: Iterable[Function]) -> None:
        # The host compares names as .NET's OrdinalIgnoreCase does: upper-cased, so that "_" comes after letters.
        self.functions = tuple(sorted(functions, key=lambda function: function.name.upper()))

    def match(self, method: str, path: str) -> tuple[Function, dict[str, str]] | None:
        """The function for a decoded path, and its route parameters (an absent or empty one is left out)."""
        for function in self.functions:
            if function.methods and method not in function.methods:
                continue
            found = function.pattern.fullmatch(path)
            if found is not None:
                return function, {name: value for name, value in found.groupdict().items() if value}
        return None


def decode_path(raw: str) -> str:
    """Percent-decodes a path as the host's web server does: an encoded slash stays encoded."""
    if "%" not in raw:
        return raw
    parts = _ENCODED_SLASH.split(raw)
    return "".join(part if index % 2 else unquote(part) for index, part in enumerate(parts))


def is_reserved(raw: str) -> bool:
    """Whether the host keeps the path to itself: its first segment is `admin` or `runtime`, however it is written."""
    segments: list[str] = []
    for segment in unquote(raw).split("/"):
        if segment == ".." and segments:
            segments.pop()
        elif segment not in {"", ".", ".."}:
            segments.append(segment)
    return bool(segments) and segments[0].lower() in RESERVED


def compile_template(template: str, function: str) -> re.Pattern[str]:
    """A pattern for the whole decoded path; a trailing slash makes no difference."""
    pattern = ""
    for segment in template.strip("/").split("/"):
        pattern += _segment_pattern(segment, function) if segment else ""
    return re.compile(f"{pattern}/?", re.IGNORECASE | re.DOTALL)


def _segment_pattern(segment: str, function: str) -> str:
    parameters = list(_PARAMETER.finditer(segment))
    if re.search(r"[{}]", _PARAMETER.sub("", segment)):
        raise RouteError(f"function {function}: cannot understand the route segment {segment!r}")
    if len(parameters) == 1 and parameters[0].span() == (0, len(segment)):
        return _whole_segment_pattern(parameters[0], function)
    pattern, end = "", 0
    for parameter in parameters:
        pattern += re.escape(segment[end : parameter.start()]) + f"(?P<{parameter['name']}>[^/]+?)"
        end = parameter.end()
    return "/" + pattern + re.escape(segment[end:])


def _whole_segment_pattern(parameter: re.Match[str], function: str) -> str:
    name, constraint = parameter["name"], parameter["constraint"]
    if parameter["rest"]:
        return f"(?:/(?P<{name}>.*))?"
    if constraint is not None and constraint not in CONSTRAINTS:
        raise RouteError(f"function {function}: this host does not know the route constraint {constraint!r}")
    value = CONSTRAINTS[constraint] if constraint else "[^/]+"
    pattern = f"/(?P<{name}>{value})"
    return f"(?:{pattern})?" if parameter["optional"] else pattern


def read_route_prefix(app: Path) -> str:
    """`extensions.http.routePrefix` of the app's host.json; the host's default is `api`."""
    path = app / "host.json"
    try:
        settings: Mapping[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    except ValueError as error:
        raise RouteError(f"{path} is not valid JSON: {error}") from None
    prefix = settings.get("extensions", {}).get("http", {}).get("routePrefix", "api")
    return str(prefix)


def build_routes(functions: Sequence[Mapping[str, Any]], prefix: str) -> RouteTable:
    """From what the worker reported: `id`, `name` and `bindings` (JSON texts) of each function."""
    found = (_read_function(function, prefix) for function in functions)
    return RouteTable(function for function in found if function is not None)


def _read_function(function: Mapping[str, Any], prefix: str) -> Function | None:
    bindings = [json.loads(binding) for binding in function["bindings"]]
    trigger = next((binding for binding in bindings if binding["type"].lower() == "httptrigger"), None)
    if trigger is None:
        return None
    name = function["name"]
    # An empty route is the function's name, as in the host; the root is reached by "{*rest}" alone.
    route = f"{prefix.strip('/')}/{trigger.get('route') or name}"
    return Function(
        identifier=function["id"],
        name=name,
        route=route.strip("/"),
        methods=frozenset(method.upper() for method in trigger.get("methods") or ()),
        level=(trigger.get("authLevel") or "function").lower(),
        pattern=compile_template(route, name),
    )
