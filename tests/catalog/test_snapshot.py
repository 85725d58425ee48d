"""The catalog as requests see it."""

import base64
from collections.abc import Mapping
from dataclasses import FrozenInstanceError

import pytest

from gateway.catalog.loading import LoadFault, parse_documents
from gateway.catalog.models import Document, Kind, NamedValue
from gateway.catalog.secrets import SecretBox, seal
from gateway.catalog.snapshot import Snapshot
from gateway.errors import Fault

BOX = SecretBox([base64.urlsafe_b64encode(bytes(32)).decode()])
ENVIRONMENT = {"TOKEN": "t-1"}
CATALOG = """
{kind: NamedValue, name: key, value: k-1}
---
{kind: Product, name: starter, state: published}
---
{kind: Product, name: open, state: published, subscriptionRequired: false}
---
kind: Backend
name: model
url: http://model.example/v1
credentials: {header: Authorization, value: "Bearer {{key}}"}
timeouts: {connect: 1}
---
{kind: Api, name: shared, path: shared, type: openai, backend: model, products: [starter, open], maxRequestBytes: 9}
---
kind: Api
name: inline
path: inline
type: passthrough
backend: {url: "http://inline.example", credentials: {query: k, value: "{{key}}-{{env:TOKEN}}"}}
---
{kind: Gateway, maxRequestBytes: 1000, timeouts: {connect: 2, firstByte: 3}}
"""


def catalog(text: str = CATALOG, **replaced: str) -> list[Document]:
    """Documents as the store gives them, with some text replaced."""
    for old, new in replaced.items():
        text = text.replace(old, new)
    documents = parse_documents(text, "x")
    return [seal(document, BOX) if isinstance(document, NamedValue) else document for document in documents]


def build(
    documents: list[Document | LoadFault] | list[Document],
    previous: Snapshot | None = None,
    environment: Mapping[str, str] = ENVIRONMENT,
    secrets: SecretBox = BOX,
) -> tuple[Snapshot, list[str]]:
    """A snapshot, and its faults as text."""
    snapshot, faults = Snapshot.build(7, documents, secrets, environment, previous)
    return snapshot, [str(fault) for fault in faults]


def without(documents: list[Document], kind: Kind, name: str) -> list[Document]:
    """The documents but one."""
    return [document for document in documents if (document.kind, document.name) != (kind, name)]


def broken(documents: list[Document], kind: Kind, name: str) -> list[Document | LoadFault]:
    """The documents with one that could not be read."""
    fault = LoadFault(kind, name, (Fault(f"{kind} {name}", "is broken"),))
    return [*without(documents, kind, name), fault]


def test_everything_is_resolved_once() -> None:
    """Credentials, timeouts, products and limits, ready for requests."""
    snapshot, faults = build(catalog())
    assert faults == []
    assert snapshot.revision == 7
    shared, inline = snapshot.apis["shared"], snapshot.apis["inline"]
    assert (shared.backend.name, shared.backend.credential_value) == ("model", "Bearer k-1")
    assert (inline.backend.name, inline.backend.credential_value) == ("inline", "k-1-t-1")
    timeouts = shared.backend.settings.timeouts
    assert (timeouts.connect, timeouts.first_byte, timeouts.between_chunks) == (1, 3, 60)
    assert inline.backend.settings.timeouts.connect == 2
    assert (shared.max_request_bytes, inline.max_request_bytes) == (9, 1000)
    assert [product.name for product in shared.products] == ["starter", "open"]
    assert shared.open_product is shared.products[1]
    assert inline.open_product is None
    assert dict(snapshot.named_values) == {"key": "k-1"}
    assert snapshot.backends["model"] is shared.backend


def test_routes_lead_to_entries() -> None:
    """The look-up that every request does."""
    snapshot, _ = build(catalog())
    assert snapshot.route("Shared/v1/models") == (snapshot.apis["shared"], "v1/models")
    assert snapshot.route("nowhere") is None


def test_an_empty_catalog_serves_nothing() -> None:
    """The state of a new installation."""
    snapshot, faults = build([])
    assert (dict(snapshot.apis), faults) == ({}, [])
    assert snapshot.gateway.max_request_bytes == 20 * 1024 * 1024
    assert snapshot.route("x") is None


def test_nothing_in_a_snapshot_can_be_changed() -> None:
    """All requests share it."""
    snapshot, _ = build(catalog())
    for mapping in (snapshot.apis, snapshot.products, snapshot.backends, snapshot.named_values, snapshot.documents):
        with pytest.raises(TypeError):
            mapping["x"] = None
    with pytest.raises(FrozenInstanceError):
        snapshot.revision = 8


def test_no_secret_is_in_any_representation() -> None:
    """Nor is anything encrypted."""
    snapshot, _ = build(catalog())
    texts = [repr(each) for each in (snapshot, snapshot.apis["shared"], snapshot.backends["model"])]
    assert not any("k-1" in text or "t-1" in text or "gAAAA" in text for text in texts)


@pytest.mark.parametrize(
    ("kind", "name", "faults", "served"),
    [
        ("Backend", "model", ["Api shared: backend: Backend model is missing or cannot be used"], {"inline"}),
        ("Product", "open", ["Api shared: products: Product open is missing or cannot be read"], {"inline"}),
        (
            "NamedValue",
            "key",
            [
                "Backend model: credentials.value: the named value key is missing or cannot be read",
                "Api shared: backend: Backend model is missing or cannot be used",
                "Api inline: backend.credentials.value: the named value key is missing or cannot be read",
            ],
            set(),
        ),
        ("Api", "shared", [], {"inline"}),
        ("Gateway", "gateway", [], {"inline", "shared"}),
    ],
)
def test_on_a_new_instance_what_depends_on_a_broken_document_is_left_out(
    kind: Kind, name: str, faults: list[str], served: set[str]
) -> None:
    """With a fault for each, and the others serve."""
    snapshot, found = build(broken(catalog(), kind, name))
    assert found == [f"{kind} {name}: is broken", *faults]
    assert set(snapshot.apis) == served


@pytest.mark.parametrize(
    ("kind", "name"),
    [("Backend", "model"), ("Product", "open"), ("NamedValue", "key"), ("Api", "shared"), ("Gateway", "gateway")],
)
def test_a_serving_instance_keeps_the_last_good_version_of_a_broken_document(kind: Kind, name: str) -> None:
    """Only the fault of the document itself is reported; nothing that depends on it changes, again and again."""
    snapshot, _ = build(catalog())
    before = dict(snapshot.apis)
    for _ in range(3):
        snapshot, faults = build(broken(catalog(), kind, name), snapshot)
        assert faults == [f"{kind} {name}: is broken"]
        assert dict(snapshot.apis) == before


@pytest.mark.parametrize(("kind", "name"), [("Backend", "model"), ("Product", "open"), ("NamedValue", "key")])
def test_a_serving_instance_keeps_apis_whose_references_are_gone(kind: Kind, name: str) -> None:
    """As when somebody deletes a row by hand."""
    first, _ = build(catalog())
    second, faults = build(without(catalog(), kind, name), first)
    assert faults
    assert set(second.apis) == {"shared", "inline"}
    assert second.apis["shared"].backend.credential_value == "Bearer k-1"


def test_what_is_deleted_is_gone() -> None:
    """Keeping last good versions must not keep what was removed on purpose."""
    first, _ = build(catalog())
    second, faults = build(without(catalog(), "Api", "shared"), first)
    assert (set(second.apis), faults) == ({"inline"}, [])


def test_an_api_that_stays_behind_follows_its_products() -> None:
    """An open product that is closed lets nobody in any more, even where the API is broken."""
    first, _ = build(catalog())
    assert first.apis["shared"].open_product is not None
    closed = catalog(
        **{"name: open, state: published": "name: open, state: notPublished", "backend: model": "backend: gone"}
    )
    second, faults = build(closed, first)
    assert faults == ["Api shared: backend: Backend gone is missing or cannot be used"]
    assert second.apis["shared"].backend.name == "model"
    assert second.apis["shared"].open_product is None


def test_an_api_that_stays_behind_follows_the_gateways_limits_and_prices() -> None:
    """A limit that was lowered for everybody holds for it too."""
    first, _ = build(catalog())
    limited = "rateLimit: {counterKey: ip, calls: 5}, prices: {m: {input: 2}}, maxRequestBytes: 1000"
    second, faults = build(catalog(**{"maxRequestBytes: 1000": limited, "backend: model": "backend: gone"}), first)
    assert faults == ["Api shared: backend: Backend gone is missing or cannot be used"]
    kept = second.apis["shared"]
    assert kept.gateway.rate_limit[0].calls == 5
    assert kept.prices["m"].input == 2


def test_a_missing_app_setting_is_a_fault_of_the_api_that_uses_it() -> None:
    """A crash would take down the others."""
    snapshot, faults = build(catalog(), environment={})
    assert faults == ["Api inline: backend.credentials.value: the app setting TOKEN is not set"]
    assert set(snapshot.apis) == {"shared"}


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\x00", "\u4e2d"])
def test_an_app_setting_that_cannot_stand_in_a_header_is_a_fault(value: str) -> None:
    """It was never validated before, and is not repeated."""
    snapshot, faults = build(catalog(), environment={"TOKEN": value})
    assert set(snapshot.apis) == {"shared"}
    assert len(faults) == 1
    assert faults[0].startswith("Api inline: backend.credentials.value: the value after replacement must not contain")
    assert value not in faults[0]


def test_a_secret_that_cannot_be_decrypted_is_a_fault() -> None:
    """After GATEWAY_SECRET_KEY was changed instead of rotated: serving instances go on, new ones leave APIs out."""
    first, _ = build(catalog())
    other = SecretBox([base64.urlsafe_b64encode(bytes([9]) * 32).decode()])
    _, faults = build(catalog(), secrets=other)
    assert faults[0] == "NamedValue key: cannot be decrypted with any key of GATEWAY_SECRET_KEY"
    kept, _ = build(catalog(), first, secrets=other)
    assert kept.apis["inline"].backend.credential_value == "k-1-t-1"


def test_of_two_apis_on_one_path_the_one_that_had_it_keeps_it() -> None:
    """A newcomer must not take over calls, whatever its name; the loser keeps its own last good path."""
    first, _ = build(catalog())
    second, faults = build(catalog(**{"path: inline": "path: SHARED"}), first)
    assert faults == ['Api inline: path: "shared" belongs to Api shared']
    assert second.route("shared/x") == (second.apis["shared"], "x")
    assert second.route("inline/x") == (second.apis["inline"], "x")
    third, _ = build(catalog(**{"path: inline": "path: shared"}))
    assert set(third.apis) == {"inline"}


def test_a_fault_without_a_document_is_only_reported() -> None:
    """A row that nobody can make sense of."""
    snapshot, faults = build([*catalog(), LoadFault(None, "junk", (Fault("row junk", "is no document"),))])
    assert faults == ["row junk: is no document"]
    assert len(snapshot.apis) == 2


def test_what_was_broken_and_is_mended_serves_again() -> None:
    """The new version, not the last good one."""
    first, _ = build(catalog())
    second, _ = build(broken(catalog(), "Api", "shared"), first)
    third, faults = build(catalog(**{"maxRequestBytes: 9": "maxRequestBytes: 10"}), second)
    assert faults == []
    assert third.apis["shared"].max_request_bytes == 10
