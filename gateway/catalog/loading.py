"""From text to documents and back. Every fault of every document is found in one go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from gateway.catalog.faults import did_you_mean, faults_of
from gateway.catalog.models import MODELS, Document, Kind, Written
from gateway.errors import CatalogError, Fault


@dataclass(frozen=True, slots=True)
class LoadFault:
    """A stored document that cannot be read. `kind` is None when not even that can be told."""

    kind: Kind | None
    name: str
    faults: tuple[Fault, ...]


def parse_documents(text: str, source: str) -> list[Document]:
    """The documents in a YAML or JSON text; raise CatalogError with every fault. `source` is what faults begin with."""
    # Here and not above: a serving instance reads JSON from its table, and never imports a YAML parser.
    from gateway.catalog.yaml_text import YamlFault, read_values

    try:
        values = read_values(text)
    except YamlFault as error:
        raise CatalogError([Fault(source, str(error))]) from error
    documents: list[Document] = []
    faults: list[Fault] = []
    for number, value in enumerate(values, start=1):
        try:
            documents.append(from_json(value, _place(source, number, len(values))))
        except CatalogError as error:
            faults += error.faults
    if faults:
        raise CatalogError(faults)
    return documents


def dump_documents(documents: Iterable[Document]) -> str:
    """The documents as YAML that `parse_documents` reads back."""
    from gateway.catalog.yaml_text import write_values

    return write_values([document.to_json() for document in documents])


def from_json(value: Any, source: str = "") -> Document:
    """One document from plain values; raise CatalogError with every fault."""
    if not isinstance(value, dict):
        raise CatalogError([Fault(source, "a document must be a mapping with kind and name")])
    fields = dict(value)
    kind = fields.pop("kind", None)
    model = next((model for known, model in MODELS.items() if known == kind), None)
    if model is None:
        raise CatalogError([Fault(source, _kind_problem(kind))])
    return validate(model, fields, source)


def validate[Model: Written](model: type[Model], fields: dict[str, Any], source: str = "") -> Model:
    """A document of a known kind; raise CatalogError with every fault."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise CatalogError(faults_of(error, model, where(model.kind, fields.get("name"), source), fields)) from error


def where(kind: Kind, name: Any, source: str = "") -> str:
    """How a document is called in faults: `apis/openai.yaml: Api openai`."""
    called = f"{kind} {name}" if isinstance(name, str) and name else f"{kind}"
    return f"{source}: {called}" if source else called


def _place(source: str, number: int, count: int) -> str:
    # The name tells documents apart; the number helps when it is the name that is wrong.
    return source if count == 1 else f"{source} (document {number})"


def _kind_problem(kind: Any) -> str:
    known = [str(each) for each in MODELS]
    if kind is None:
        return f"kind is required: one of {', '.join(known)}"
    if not isinstance(kind, str):
        return f"kind must be one of {', '.join(known)}"
    return f'unknown kind "{kind}"{did_you_mean(kind, known)}'
