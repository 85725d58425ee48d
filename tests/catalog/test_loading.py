"""From text to documents and back: every fault, in words, in one go."""

from typing import Any

import pytest

from gateway.catalog.loading import dump_documents, from_json, parse_documents, validate
from gateway.catalog.models import MODELS, Api, Gateway, NamedValue, Subscription
from gateway.errors import CatalogError

BROKEN = """
kind: Api
name: openai
displayName: 7
path: /openai
typ: openai
backend:
  url: ftp://api.openai.com
  timeout: {connect: 5}
  timeouts: {firstbyte: 5, connect: -1}
  credentials: {header: Authorization, valu: x}
products: [a, B, a]
subscriptionRequired: "yes"
maxRequestBytes: 1.5
---
kind: Subscription
name: team
scope: /api/openai
startDate: 2026-02-01
expirationDate: 2026-01-01
state: Active
---
kind: apis
---
- 1
"""

FAULTS = """\
apis/all.yaml (document 1): Api openai: displayName: must be text; put it in quotes
apis/all.yaml (document 1): Api openai: path: must not start or end with a slash
apis/all.yaml (document 1): Api openai: type: is required
apis/all.yaml (document 1): Api openai: backend.url: must start with http:// or https:// and name a host
apis/all.yaml (document 1): Api openai: backend.credentials.value: is required
apis/all.yaml (document 1): Api openai: backend.credentials: unknown field "valu"; did you mean "value"?
apis/all.yaml (document 1): Api openai: backend.timeouts.connect: must be greater than 0
apis/all.yaml (document 1): Api openai: backend.timeouts: unknown field "firstbyte"; did you mean "firstByte"?
apis/all.yaml (document 1): Api openai: backend: unknown field "timeout"; did you mean "timeouts"?
apis/all.yaml (document 1): Api openai: products[1]: must be 1 to 80 lower-case letters, digits and hyphens, and start and end with a letter or digit
apis/all.yaml (document 1): Api openai: subscriptionRequired: must be true or false, without quotes
apis/all.yaml (document 1): Api openai: maxRequestBytes: must be a whole number
apis/all.yaml (document 1): Api openai: unknown field "typ"; did you mean "type"?
apis/all.yaml (document 2): Subscription team: scope: must be "/apis" (all APIs), "/apis/NAME" or "/products/NAME"
apis/all.yaml (document 2): Subscription team: state: must be "submitted", "active", "suspended", "rejected", "cancelled" or "expired"
apis/all.yaml (document 3): unknown kind "apis"; did you mean "Api"?
apis/all.yaml (document 4): a document must be a mapping with kind and name\
"""  # noqa: E501


def api(**fields: Any) -> dict[str, Any]:
    """A good Api with other fields on top."""
    backend = {"url": "https://backend.example"}
    return {"kind": "Api", "name": "a", "path": "a", "type": "openai", "backend": backend, **fields}


def faults_of(value: Any) -> list[str]:
    """What is wrong with one document."""
    with pytest.raises(CatalogError) as caught:
        from_json(value)
    return [str(fault) for fault in caught.value.faults]


def test_every_fault_of_every_document_is_found_in_one_go() -> None:
    """With file, document, path and a sentence; unknown fields with the likely one."""
    with pytest.raises(CatalogError) as caught:
        parse_documents(BROKEN, "apis/all.yaml")
    assert str(caught.value) == FAULTS


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, "a document must be a mapping with kind and name"),
        ({}, "kind is required: one of Gateway, NamedValue, Backend, Product, Api, Subscription"),
        ({"kind": 1}, "kind must be one of Gateway, NamedValue, Backend, Product, Api, Subscription"),
        ({"kind": "gateway"}, 'unknown kind "gateway"; did you mean "Gateway"?'),
        ({"kind": "Gateway", "name": "other"}, 'Gateway other: name: must be "gateway"'),
        ({"kind": "Product"}, "Product: name: is required"),
        ({"kind": "Product", "name": ["x"]}, "Product: name: must be text"),
        (
            {"kind": "Product", "name": "p", "state": "Published"},
            'Product p: state: must be "notPublished" or "published"',
        ),
        (api(display_name="A"), 'Api a: unknown field "display_name"; did you mean "displayName"?'),
        (api(**{"<<": {}}), 'Api a: unknown field "<<"'),
        (api(backend="Not A Name"), "Api a: backend: must be 1 to 80 lower-case"),
        (api(backend=3), "Api a: backend: must be a mapping of fields"),
        (api(backend=None), "Api a: backend: must be a mapping of fields"),
        (api(backend={"url": "http://x", "http2": True}), "Api a: backend: http2 needs a url with https://"),
        (
            api(backend={"url": "http://x", "credentials": {"header": "a", "query": "b", "value": "{{c}}"}}),
            "Api a: backend.credentials: must have exactly one of header, query and managedIdentity",
        ),
        (
            api(backend={"url": "http://x", "credentials": "none"}),
            "Api a: backend.credentials: must have exactly one of header, query and managedIdentity",
        ),
        (
            api(backend={"url": "http://x", "credentials": {"header": "a", "value": "Bearer sk-plain"}}),
            'Api a: backend.credentials.value: must name its secret, as in "Bearer {{openai-key}}"',
        ),
        (
            api(backend={"url": "http://x", "credentials": {"managedIdentity": {}}}),
            "Api a: backend.credentials.managedIdentity.scope: is required",
        ),
        (api(backend={"url": "http://x", "<settings>": 1}), 'Api a: backend: unknown field "<settings>"'),
        (api(products={}), "Api a: products: must be a list"),
        (api(products="starter"), "Api a: products: must be a list"),
        (api(products=["p", "p"]), "Api a: products: must not name p more than once"),
        (
            api(subscriptionKeyParameterNames={"header": "Cookie"}),
            'Api a: subscriptionKeyParameterNames.header: must not be "Cookie", which has a meaning of its own; '
            'choose one such as "X-Team-Key"',
        ),
        (
            api(subscriptionKeyParameterNames={}),
            "Api a: subscriptionKeyParameterNames: must have header, query or both",
        ),
        (api(maxRequestBytes=0), "Api a: maxRequestBytes: must be at least 1"),
        (api(maxRequestBytes=True), "Api a: maxRequestBytes: must be a whole number"),
        (api(displayName="x" * 301), "Api a: displayName: must be at most 300 characters"),
        (
            {"kind": "Gateway", "timeouts": {"connect": float("nan")}},
            "Gateway: timeouts.connect: must be a finite number",
        ),
        ({"kind": "Gateway", "timeouts": {"connect": 1e9}}, "Gateway: timeouts.connect: must be at most 86400"),
        ({"kind": "Gateway", "timeouts": {"connect": "5"}}, "Gateway: timeouts.connect: must be a number"),
        (
            {"kind": "NamedValue", "name": "k", "value": "Bearer {{env:K}}"},
            "NamedValue k: value must be the literal value, or exactly {{env:NAME}} for an app setting",
        ),
        (
            {"kind": "NamedValue", "name": "k", "encryptedValue": "x"},
            'NamedValue k: unknown field "encryptedValue"',
        ),
        (
            {"kind": "Subscription", "name": "s", "scope": "/apis", "primaryKey": "x"},
            'Subscription s: unknown field "primaryKey"; it may be displayName, expirationDate, name, scope',
        ),
        (
            {
                "kind": "Subscription",
                "name": "s",
                "scope": "/apis",
                "startDate": "2026-01-02",
                "expirationDate": "2026-01-02",
            },
            "Subscription s: expirationDate must be later than startDate",
        ),
    ],
)
def test_each_fault_is_one_sentence_in_peoples_words(value: Any, fault: str) -> None:
    """None of pydantic's own vocabulary."""
    faults = faults_of(value)
    assert len(faults) == 1
    assert faults[0].startswith(fault)
    assert not any(word in faults[0].lower() for word in ("input", "pydantic", "tuple", "dictionary", "instance"))


def test_secrets_are_not_in_faults() -> None:
    """A value that is refused is not repeated."""
    for value in ("sk-secret\n", " sk-secret", "{{ sk-secret"):
        assert "sk-secret" not in str(faults_of({"kind": "NamedValue", "name": "k", "value": value}))


def test_a_document_is_exported_as_it_was_written() -> None:
    """No defaults are added, the names are camelCase, and it can be read back."""
    text = (
        "---\nkind: Api\nname: a\npath: ''\ntype: passthrough\nbackend:\n  url: https://backend.example\n"
        "  timeouts:\n    firstByte: 2.5\n    connect: 3\nproducts:\n- p\nsubscriptionRequired: true\n"
        "---\nkind: Subscription\nname: s\nscope: /products/p\nstartDate: '2026-01-31T00:00:00Z'\n"
        "---\nkind: Gateway\nname: gateway\n"
    )
    documents = parse_documents(text, "x")
    assert parse_documents(dump_documents(documents), "x") == documents
    assert dump_documents(parse_documents(dump_documents(documents), "x")) == dump_documents(documents)
    assert documents[0].to_json() == {
        "kind": "Api",
        "name": "a",
        "path": "",
        "type": "passthrough",
        "backend": {"url": "https://backend.example", "timeouts": {"connect": 3, "firstByte": 2.5}},
        "products": ["p"],
        "subscriptionRequired": True,
    }


def test_fields_left_empty_are_as_if_left_out() -> None:
    """`description:` with nothing after it is no fault, and is not exported."""
    document = from_json(api(description=None, maxRequestBytes=None))
    assert document.to_json() == from_json(api()).to_json()


def test_no_documents_in_a_text_is_no_fault() -> None:
    """A file of comments."""
    assert parse_documents("# nothing yet\n", "x") == []


@pytest.mark.parametrize("text", ["a: [", "a: &x 1\nb: *x", "\x00"])
def test_text_that_is_no_yaml_names_its_source(text: str) -> None:
    """So that one of many files is found."""
    with pytest.raises(CatalogError, match=r"^apis/x\.yaml: "):
        parse_documents(text, "apis/x.yaml")


def test_documents_do_not_change() -> None:
    """They are shared by all requests."""
    document = validate(Api, {name: value for name, value in api().items() if name != "kind"})
    with pytest.raises(ValueError, match="frozen"):
        document.path = "b"
    assert isinstance(document.products, tuple)


def test_defaults_are_api_managements() -> None:
    """A subscription is needed, a product is not published, a named value is secret."""
    assert from_json(api()).subscription_required is True
    product = from_json({"kind": "Product", "name": "p"})
    assert (product.state, product.subscription_required, product.approval_required) == ("notPublished", True, False)
    assert validate(NamedValue, {"name": "k"}).secret is True
    assert validate(Subscription, {"name": "s", "scope": "/apis"}).state == "active"
    gateway = Gateway()
    assert gateway.max_request_bytes == 20 * 1024 * 1024
    assert (gateway.timeouts.connect, gateway.timeouts.first_byte, gateway.timeouts.between_chunks) == (5, 120, 60)


def test_every_model_has_its_kind() -> None:
    """The table of models and the models agree."""
    assert {kind: model.kind for kind, model in MODELS.items()} == {kind: kind for kind in MODELS}
