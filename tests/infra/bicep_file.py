"""A Bicep file as tree-sitter reads it: its declarations, and the nodes of their values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

INFRA = Path(__file__).parents[2] / "infra"
MODULES = sorted((INFRA / "modules").glob("*.bicep"))
FILES = [INFRA / "main.bicep", *MODULES]

PARSER = Parser(Language(tree_sitter_bicep.language()))


@dataclass(frozen=True)
class Declaration:
    """A parameter, variable, resource, module or output. `target` is what stands in quotes: a type or a file."""

    kind: str
    name: str
    node: Node
    value: Node | None
    decorators: dict[str, Node]
    target: str = ""
    existing: bool = False
    condition: Node | None = None
    loop: Node | None = None
    type: str = ""

    @property
    def body(self) -> Node:
        """The object that a resource or module is."""
        assert self.value is not None
        return self.value


@dataclass
class BicepFile:
    """All declarations of a file, by name for each kind."""

    path: Path
    root: Node
    param: dict[str, Declaration] = field(default_factory=dict)
    var: dict[str, Declaration] = field(default_factory=dict)
    resource: dict[str, Declaration] = field(default_factory=dict)
    module: dict[str, Declaration] = field(default_factory=dict)
    output: dict[str, Declaration] = field(default_factory=dict)


def text(node: Node) -> str:
    """The source of a node."""
    assert node.text is not None
    return node.text.decode()


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it."""
    yield node
    for child in node.children:
        yield from walk(child)


def literal(node: Node) -> str:
    """A string without interpolation."""
    return "".join(text(child) for child in node.named_children)


def properties(node: Node) -> dict[str, Node]:
    """The properties of an object."""
    pairs = [pair.named_children for pair in node.named_children if pair.type == "object_property"]
    return {text(key).strip("'"): rest[-1] for key, *rest in pairs}


@lru_cache
def read(path: Path) -> BicepFile:
    """Parse a file; raise ValueError with the place of what is no Bicep."""
    root = PARSER.parse(path.read_bytes()).root_node
    faults = [node for node in walk(root) if node.is_error or node.is_missing]
    if faults:
        raise ValueError(f"{path.name}:{faults[0].start_point.row + 1}: {text(faults[0])[:60]}")
    file = BicepFile(path, root)
    _declarations(file, root.named_children)
    return file


def _declarations(file: BicepFile, nodes: list[Node]) -> None:
    decorators: dict[str, Node] = {}
    for node in nodes:
        if node.type == "decorators":
            calls = [decorator.named_children[0] for decorator in node.named_children]
            decorators = {text(call.named_children[0]): call for call in calls}
        elif node.type.endswith("_declaration"):
            _declare(file, node, decorators)
            decorators = {}


def _declare(file: BicepFile, node: Node, decorators: dict[str, Node]) -> None:
    kind = {"parameter": "param", "variable": "var"}.get(node.type.split("_")[0], node.type.split("_")[0])
    name = text(next(child for child in node.named_children if child.type == "identifier"))
    after = [index for index, child in enumerate(node.children) if child.type == "="]
    value = next((child for child in node.children[after[0] + 1 :] if child.is_named), None) if after else None
    kinds = [text(child) for child in node.named_children if child.type == "type"]
    target, condition, loop = "", None, None
    if kind in ("resource", "module"):
        target = literal(next(child for child in node.named_children if child.type == "string"))
        assert value is not None
        if value.type == "if_statement":
            condition, value = value.named_children[0], value.named_children[-1]
        elif value.type == "for_statement":
            loop = value
            value = value.child_by_field_name("body")
    existing = any(child.type == "existing" for child in node.children)
    declared = Declaration(
        kind,
        name,
        node,
        value,
        decorators,
        target,
        existing,
        condition,
        loop,
        kinds[0] if kinds else "",
    )
    getattr(file, kind)[name] = declared
