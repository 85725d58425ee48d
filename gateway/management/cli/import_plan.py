"""What an import will create, worked out from the answers before anything is sent or written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.catalog.backend_settings import BackendSettings, HeaderCredentials
from gateway.catalog.fields import check_name, check_path, check_secret_text
from gateway.catalog.loading import validate
from gateway.catalog.models import Api, Document, NamedValue, Product
from gateway.catalog.placeholders import check_placeholders, named_values_in, placeholders
from gateway.errors import CatalogError, Fault
from gateway.management.service import CatalogService

ApiType = Literal["openai", "passthrough"]

# `Bearer sk-…`: the scheme stays readable in the document, only the rest is secret.
SCHEME_AND_SECRET = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9_-]{0,30} +)(?P<secret>\S+)")
LONGEST_NAME = 80
KEY_SUFFIX = "-key"


@dataclass(frozen=True, slots=True)
class Answers:
    """What was asked for, by options or by questions."""

    name: str
    display_name: str
    description: str
    url: str
    products: tuple[str, ...]
    path: str
    type: ApiType
    key_header: str
    key_value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalog has already. `paths` has the Api's name for each path, in lower case."""

    apis: tuple[str, ...]
    products: tuple[str, ...]
    named_values: tuple[str, ...]
    paths: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    async def of(cls, service: CatalogService) -> Known:
        """Ask the catalog."""
        apis = await service.list("Api")
        return cls(
            apis=_names(apis),
            products=_names(await service.list("Product")),
            named_values=_names(await service.list("NamedValue")),
            paths={api.path.lower(): api.name for api in apis if isinstance(api, Api)},
        )

    def check_name(self, text: str) -> str:
        """A name for a new Api; raise ValueError."""
        if len(text) > LONGEST_NAME - len(KEY_SUFFIX):
            raise ValueError(f"must be at most {LONGEST_NAME - len(KEY_SUFFIX)} characters long")
        if text in self.apis:
            raise ValueError("is the name of an Api already")
        return check_name(text)

    def check_path(self, text: str) -> str:
        """A path for a new Api; raise ValueError."""
        owner = self.paths.get(check_path(text).lower())
        if owner is not None:
            raise ValueError(f"already belongs to Api {owner}")
        return text

    def check_key(self, text: str, name: str) -> str:
        """The access key for a new Api of this name; raise ValueError, which never repeats it."""
        check_secret_text(text)
        check_placeholders(text)
        missing = [each for each in named_values_in(text) if each not in self.named_values]
        if missing:
            raise ValueError(f"refers to NamedValue {missing[0]}, which does not exist")
        if not placeholders(text) and name + KEY_SUFFIX in self.named_values:
            raise ValueError(_key_name_taken(name + KEY_SUFFIX))
        return text


def _names(documents: Sequence[Document]) -> tuple[str, ...]:
    return tuple(document.name for document in documents)


@dataclass(frozen=True, slots=True)
class Plan:
    """The documents to create, what others refer to before the others."""

    api: Api
    named_value: NamedValue | None
    new_products: tuple[Product, ...]

    @property
    def documents(self) -> list[Document]:
        """Everything that will be created."""
        return [*self.new_products, *([self.named_value] if self.named_value else []), self.api]

    @property
    def backend(self) -> BackendSettings:
        """The Api's own."""
        assert isinstance(self.api.backend, BackendSettings)
        return self.api.backend

    def rows(self) -> tuple[tuple[str, str, str], ...]:
        """The review: what is created, its name, and what matters about it. Secrets are not in it."""
        products = [("Product", product.name, "published, needs a key") for product in self.new_products]
        secrets = [("NamedValue", self.named_value.name, _where_kept(self.named_value))] if self.named_value else []
        sent = self.backend.credentials
        key = f"{sent.header}: {sent.value}" if isinstance(sent, HeaderCredentials) else "no access key"
        members = f"products: {', '.join(self.api.products) or 'none'}"
        return (
            *products,
            *secrets,
            ("Backend", f"(inline in {self.api.name})", f"{self.backend.url}, {key}"),
            ("Api", self.api.name, f"path /{self.api.path}, type {self.api.type}, {members}"),
        )


def _key_name_taken(key_name: str) -> str:
    return f'cannot be kept, for NamedValue {key_name} exists already; give "{{{{{key_name}}}}}" to use what it holds'


def _where_kept(named_value: NamedValue) -> str:
    return "the access key, encrypted" if named_value.holds_secret else f"refers to {named_value.value}"


def make_plan(answers: Answers, known: Known, *, create_products: bool) -> Plan:
    """The documents for these answers; raise CatalogError with everything that stands in the way."""
    faults = _conflicts(answers, known, create_products)
    credential, secret = split_key(answers)
    made: list[Document] = []
    for model, fields in _wanted(answers, known, credential, secret):
        try:
            made.append(validate(model, fields))
        except CatalogError as error:
            faults += error.faults
    if faults:
        raise CatalogError(faults)
    return Plan(
        api=next(document for document in made if isinstance(document, Api)),
        named_value=next((document for document in made if isinstance(document, NamedValue)), None),
        new_products=tuple(document for document in made if isinstance(document, Product)),
    )


def _wanted(
    answers: Answers, known: Known, credential: str, secret: str
) -> Iterator[tuple[type[Api] | type[NamedValue] | type[Product], dict[str, Any]]]:
    for name in dict.fromkeys(answers.products):
        if name not in known.products:
            yield Product, {"name": name, "displayName": name, "state": "published"}
    if secret:
        title = f"Access key of {answers.display_name}"[:300]
        yield NamedValue, {"name": answers.name + KEY_SUFFIX, "displayName": title, "value": secret}
    backend: dict[str, Any] = {"url": answers.url}
    if credential:
        backend["credentials"] = {"header": answers.key_header, "value": credential}
    written = {"displayName": answers.display_name, "description": answers.description}
    yield (
        Api,
        {
            "name": answers.name,
            **{field: text for field, text in written.items() if text},
            "path": answers.path,
            "type": answers.type,
            "backend": backend,
            "products": list(dict.fromkeys(answers.products)),
        },
    )


def split_key(answers: Answers) -> tuple[str, str]:
    """What the Api's credential says, and the secret that goes into its NamedValue.

    `Bearer sk-…` becomes `Bearer {{openai-key}}` and `sk-…`. A value that names its secret already stays as it is, and
    one that names an app setting needs no NamedValue of its own.
    """
    value = answers.key_value
    if not value or placeholders(value):
        return value, ""
    found = SCHEME_AND_SECRET.fullmatch(value)
    scheme, secret = (found["scheme"], found["secret"]) if found else ("", value)
    return f"{scheme}{{{{{answers.name}{KEY_SUFFIX}}}}}", secret


def _conflicts(answers: Answers, known: Known, create_products: bool) -> list[Fault]:
    faults = [] if create_products else missing_products(answers.products, known)
    if answers.name in known.apis:
        faults.append(Fault(f"Api {answers.name}", "exists already; choose another --name, or change it with apply"))
    key_name = answers.name + KEY_SUFFIX
    if split_key(answers)[1] and key_name in known.named_values:
        remedy = f'choose another --name, or give the value as "{{{{{key_name}}}}}" to use what it holds'
        faults.append(Fault(f"NamedValue {key_name}", f"exists already; {remedy}"))
    if len(key_name) > LONGEST_NAME:
        faults.append(Fault("name", f"must be at most {LONGEST_NAME - len(KEY_SUFFIX)} characters long"))
    return faults


def missing_products(wanted: Sequence[str], known: Known) -> list[Fault]:
    """A fault for each product that is not there."""
    names = ", ".join(known.products) if known.products else "none yet"
    remedy = f"known are: {names}; --create-product creates it"
    return [Fault(f"Product {name}", f"does not exist; {remedy}") for name in wanted if name not in known.products]


def name_from(display_name: str) -> str:
    """A name for an Api that is called so: `My LLM (EU)` becomes `my-llm-eu`. May be empty."""
    plain = unicodedata.normalize("NFKD", display_name).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.lower())
    return "-".join(words)[: LONGEST_NAME - len(KEY_SUFFIX)].strip("-")
