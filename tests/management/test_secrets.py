"""Secrets on their way through the catalog: in, at rest, to a backend, and never out, against Azurite."""

import base64

import pytest

from gateway.catalog.loading import dump_documents
from gateway.catalog.models import StoredNamedValue
from gateway.errors import CatalogError
from gateway.storage.tables import Tables
from tests.management.operator import NEW, OLD, SECRET, Operator, refusals


async def test_secrets_are_nowhere_in_the_tables(operator: Operator) -> None:
    """Neither named values nor keys, in any property of any row; but an instance with the key has them."""
    keys = (await operator.apply()).keys["team"]
    stored = await operator.everything_stored()
    assert "encryptedValue" in stored
    for secret in (SECRET, "very-secret", base64.b64encode(SECRET.encode()).decode(), keys.primary, keys.secondary):
        assert secret not in stored
    snapshot, faults = await operator.snapshot()
    assert faults == []
    assert snapshot.apis["openai"].backend.credential_value == f"Bearer {SECRET}"


async def test_secrets_never_come_out_again(operator: Operator) -> None:
    """Not by export, show or list, encrypted or not."""
    await operator.apply()
    documents = [
        *await operator.service.export(),
        await operator.service.show("NamedValue", "key"),
        *await operator.service.list("NamedValue"),
    ]
    text = dump_documents(documents) + repr(documents)
    assert SECRET not in text
    assert "encrypted" not in text.lower()
    assert not any(isinstance(document, StoredNamedValue) for document in documents)


async def test_what_is_no_secret_is_exported(operator: Operator) -> None:
    """The name of an app setting, and values that are declared to be none."""
    await operator.apply(
        "{kind: NamedValue, name: a, value: '{{env:TOKEN}}'}\n---\n"
        "{kind: NamedValue, name: b, secret: false, value: eu}"
    )
    assert {document.name: document.to_json().get("value") for document in await operator.service.export()} == {
        "a": "{{env:TOKEN}}",
        "b": "eu",
    }


async def test_a_named_values_other_fields_change_without_its_value(operator: Operator) -> None:
    """The secret stays; but it does not become public by changing one word."""
    await operator.apply()
    result = await operator.apply("{kind: NamedValue, name: key, displayName: The key}")
    assert result.updated == ("NamedValue key",)
    assert (await operator.snapshot())[0].named_values["key"] == SECRET
    with pytest.raises(CatalogError, match="NamedValue key: value: is required when secret changes"):
        await operator.apply("{kind: NamedValue, name: key, secret: false}")


async def test_a_new_value_replaces_the_old_one(operator: Operator) -> None:
    """Whether a secret differs is seen by decrypting it."""
    await operator.apply()
    assert (await operator.apply("{kind: NamedValue, name: key, value: other}")).updated == ("NamedValue key",)
    assert (await operator.snapshot())[0].named_values["key"] == "other"
    assert (await operator.apply("{kind: NamedValue, name: key, value: other}")).unchanged == ("NamedValue key",)


async def test_keys_of_encryption_can_be_rotated(tables: Tables) -> None:
    """The first encrypts, both decrypt; setting the same value again makes the old key superfluous."""
    text = f"{{kind: NamedValue, name: key, value: {SECRET}}}"
    await Operator(tables, OLD).apply(text)
    both = Operator(tables, NEW, OLD)
    assert (await both.snapshot())[0].named_values["key"] == SECRET
    assert (await both.apply(text)).updated == ("NamedValue key",)
    assert (await both.apply(text)).unchanged == ("NamedValue key",)
    only_new = Operator(tables, NEW)
    assert (await only_new.snapshot())[0].named_values["key"] == SECRET
    assert (await Operator(tables, OLD).snapshot())[1] == [
        "NamedValue key: cannot be decrypted with any key of GATEWAY_SECRET_KEY"
    ]


async def test_without_a_key_a_secret_is_refused_and_the_rest_works(tables: Tables) -> None:
    """An installation that uses app settings only needs no GATEWAY_SECRET_KEY."""
    operator = Operator(tables)
    with pytest.raises(CatalogError) as caught:
        await operator.apply("{kind: NamedValue, name: key, value: sk-1}")
    assert refusals(caught) == [
        "NamedValue key: value: needs the setting GATEWAY_SECRET_KEY to be encrypted and decrypted"
    ]
    await operator.apply("{kind: NamedValue, name: key, value: '{{env:TOKEN}}'}")
    assert (await operator.snapshot())[0].named_values["key"] == "t-1"
