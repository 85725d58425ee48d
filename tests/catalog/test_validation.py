"""What only the whole catalog can tell."""

from gateway.catalog.loading import parse_documents
from gateway.catalog.validation import check_catalog, uses

CATALOG = """
{kind: NamedValue, name: key, value: k}
---
{kind: NamedValue, name: spare, value: k}
---
{kind: Product, name: starter}
---
{kind: Backend, name: model, url: "http://x", credentials: {query: k, value: "{{key}}"}}
---
{kind: Api, name: one, path: one, type: openai, backend: model, products: [starter]}
---
kind: Api
name: two
path: two
type: passthrough
backend: {url: "http://x", credentials: {header: a, value: "{{key}}{{env:OTHER}}"}}
products: [starter]
---
{kind: Subscription, name: s-one, scope: /apis/one}
---
{kind: Subscription, name: s-starter, scope: /products/starter}
---
{kind: Subscription, name: s-all, scope: /apis}
---
{kind: Gateway}
"""


def test_a_consistent_catalog_has_no_faults() -> None:
    """App settings are not looked at: they belong to the machine that serves."""
    assert check_catalog(parse_documents(CATALOG, "x")) == []


def test_every_reference_is_followed() -> None:
    """To backends, products, named values, and what subscriptions are for."""
    text = """
{kind: Api, name: a, path: a, type: openai, backend: b, products: [p, q]}
---
{kind: Api, name: c, path: c, type: openai, backend: {url: "http://x", credentials: {header: a, value: "{{n}}{{m}}"}}}
---
{kind: Backend, name: d, url: "http://x", credentials: {query: k, value: "{{n}}"}}
---
{kind: Subscription, name: s, scope: /apis/z}
---
{kind: Subscription, name: t, scope: /products/z}
"""
    assert [str(fault) for fault in check_catalog(parse_documents(text, "x"))] == [
        "Api a: products: Product p does not exist",
        "Api a: products: Product q does not exist",
        "Api a: backend: Backend b does not exist",
        "Api c: backend.credentials.value: NamedValue n does not exist",
        "Api c: backend.credentials.value: NamedValue m does not exist",
        "Backend d: credentials.value: NamedValue n does not exist",
        "Subscription s: scope: Api z does not exist",
        "Subscription t: scope: Product z does not exist",
    ]


def test_what_cannot_be_read_still_exists() -> None:
    """A document broken in the table is not one that is missing."""
    documents = parse_documents("{kind: Api, name: a, path: a, type: openai, backend: b}", "x")
    assert check_catalog(documents, {("Backend", "b")}) == []


def test_paths_are_unique_whatever_their_case() -> None:
    """Requests are routed without regard to case."""
    text = "\n---\n".join(
        f'{{kind: Api, name: {name}, path: "{path}", type: openai, backend: {{url: "http://x"}}}}'
        for name, path in (("a", "x/Y"), ("b", "X/y"), ("c", "x/y/z"), ("d", ""), ("e", ""))
    )
    assert [str(fault) for fault in check_catalog(parse_documents(text, "x"))] == [
        'Api b: path: "X/y" already belongs to Api a',
        'Api e: path: "" already belongs to Api d',
    ]


def test_names_are_unique_within_a_kind() -> None:
    """The same name for different kinds is fine."""
    text = "{kind: Product, name: a}\n---\n{kind: NamedValue, name: a, value: x}\n---\n{kind: Product, name: a}"
    assert [str(fault) for fault in check_catalog(parse_documents(text, "x"))] == [
        "Product a: is there 2 times; names must be unique within a kind"
    ]


def test_users_of_a_document_are_listed() -> None:
    """For refusing to delete it."""
    documents = parse_documents(CATALOG, "x")
    assert uses(documents, "Product", "starter") == ["Api one", "Api two", "Subscription s-starter"]
    assert uses(documents, "NamedValue", "key") == ["Api two", "Backend model"]
    assert uses(documents, "Backend", "model") == ["Api one"]
    assert uses(documents, "Api", "one") == ["Subscription s-one"]
    assert uses(documents, "NamedValue", "spare") == []
    assert uses(documents, "Gateway", "gateway") == []
