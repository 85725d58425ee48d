"""The value of a Bicep expression. Names and functions are looked up when they are needed, as Azure does it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from tree_sitter import Node

from tests.infra.bicep_file import text

Lookup = Callable[[str], Any]
Functions = Mapping[str, Callable[..., Any]]

ESCAPES = {"\\'": "'", "\\\\": "\\", "\\n": "\n", "\\$": "$"}
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.floordiv,
    "%": operator.mod,
}


class Evaluator:
    """Expressions in one scope."""

    def __init__(self, lookup: Lookup, functions: Functions) -> None:
        self._lookup = lookup
        self._functions = functions

    def value(self, node: Node) -> Any:
        """What a node is worth; raise KeyError for a name, a property or a function that is not there."""
        return getattr(self, f"_{node.type}")(node)

    def within(self, **names: Any) -> Evaluator:
        """The scope of a loop or a lambda."""
        return Evaluator(lambda name: names[name] if name in names else self._lookup(name), self._functions)

    def each(self, loop: Node) -> list[tuple[Evaluator, Node]]:
        """A loop: for each value the scope, and the body."""
        named = [child for child in loop.named_children if child.type != "comment"]
        values, body = self.value(named[1]), loop.child_by_field_name("body")
        assert body is not None
        names = [text(child) for child in named[0].named_children] or [text(named[0])]
        return [
            (self.within(**dict(zip(names, (value, index), strict=False))), body) for index, value in enumerate(values)
        ]

    def _string(self, node: Node) -> str:
        parts = []
        for child in node.named_children:
            if child.type == "interpolation":
                value = self.value(child.named_children[0])
                assert isinstance(value, str | int), f"{text(child)} is no text"
                parts.append(str(value))
            elif child.type == "escape_sequence":
                parts.append(ESCAPES[text(child)])
            else:
                parts.append(text(child))
        return "".join(parts)

    def _number(self, node: Node) -> int:
        return int(text(node))

    def _boolean(self, node: Node) -> bool:
        return text(node) == "true"

    def _null(self, node: Node) -> None:
        return None

    def _identifier(self, node: Node) -> Any:
        return self._lookup(text(node))

    def _parenthesized_expression(self, node: Node) -> Any:
        return self.value(node.named_children[0])

    def _array(self, node: Node) -> list[Any]:
        return [self.value(child) for child in node.named_children if child.type != "comment"]

    def _object(self, node: Node) -> dict[str, Any]:
        pairs = [pair.named_children for pair in node.named_children if pair.type == "object_property"]
        return {self._key(key): self.value(rest[-1]) for key, *rest in pairs}

    def _key(self, node: Node) -> str:
        return self._string(node) if node.type == "string" else text(node)

    def _for_statement(self, node: Node) -> list[Any]:
        return [scope.value(body) for scope, body in self.each(node)]

    def _lambda_expression(self, node: Node) -> Callable[[Any], Any]:
        parameter, body = node.named_children
        return lambda value: self.within(**{text(parameter): value}).value(body)

    def _ternary_expression(self, node: Node) -> Any:
        condition, yes, no = node.named_children
        chosen = self.value(condition)
        assert isinstance(chosen, bool), f"{text(condition)} is no condition"
        return self.value(yes if chosen else no)

    def _unary_expression(self, node: Node) -> Any:
        assert text(node.children[0]) == "!"
        return not self.value(node.named_children[0])

    def _binary_expression(self, node: Node) -> Any:
        left, right = node.named_children
        sign = text(node.children[1])
        if sign == "&&":
            return self.value(left) and self.value(right)
        if sign == "||":
            return self.value(left) or self.value(right)
        return OPERATORS[sign](self.value(left), self.value(right))

    def _call_expression(self, node: Node) -> Any:
        name, arguments = node.named_children
        return self._functions[text(name)](*(self.value(child) for child in arguments.named_children))

    def _member_expression(self, node: Node) -> Any:
        whole, name = node.named_children
        return self.value(whole)[text(name)]

    def _subscript_expression(self, node: Node) -> Any:
        whole, index = node.named_children
        return self.value(whole)[self.value(index)]
