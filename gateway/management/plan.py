"""What applying documents would do, worked out before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from gateway.catalog.loading import LoadFault, validate, where
from gateway.catalog.models import Document, Kind, NamedValue, StoredNamedValue, Subscription
from gateway.catalog.secrets import SecretBox, SecretFault, seal
from gateway.catalog.validation import check_catalog
from gateway.errors import CatalogError, Fault
from gateway.management.subscription_documents import changed_record, to_document
from gateway.storage.catalog import to_entity
from gateway.storage.limits import EntityTooLarge
from gateway.storage.subscriptions import MASTER, SubscriptionRecord

Key = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored at one moment. `broken` are rows that cannot be read, `strange` those of no kind we know."""

    revision: int
    documents: Mapping[Key, Document]
    subscription_documents: Mapping[Key, Document]
    subscriptions: Mapping[str, SubscriptionRecord]
    broken: Mapping[Key, LoadFault]
    strange: Sequence[LoadFault]

    @classmethod
    def of(
        cls, revision: int, found: Sequence[Document | LoadFault], records: Sequence[SubscriptionRecord | LoadFault]
    ) -> Self:
        """Told apart by what can be read."""
        subscriptions = [_document_of(record) for record in records if isinstance(record, SubscriptionRecord)]
        unread = [each for each in (*found, *records, *subscriptions) if isinstance(each, LoadFault)]
        return cls(
            revision=revision,
            documents={(each.kind, each.name): each for each in found if not isinstance(each, LoadFault)},
            subscription_documents={
                (each.kind, each.name): each for each in subscriptions if not isinstance(each, LoadFault)
            },
            subscriptions={each.name: each for each in records if isinstance(each, SubscriptionRecord)},
            broken={(each.kind, each.name): each for each in unread if each.kind is not None},
            strange=[each for each in unread if each.kind is None],
        )

    def everything(self) -> dict[Key, Document]:
        """The catalog with the subscriptions, which are stored elsewhere."""
        return {**self.documents, **self.subscription_documents}


def _document_of(record: SubscriptionRecord) -> Subscription | LoadFault:
    # What lets nobody in or out, such as a display name of two lines, is no matter to a record.
    try:
        return to_document(record)
    except CatalogError as error:
        return LoadFault("Subscription", record.name, error.faults)


@dataclass(slots=True)
class Plan:
    """What is to be written, and how each document is called in the result."""

    after: dict[Key, Document]
    puts: list[Document] = field(default_factory=list)
    new_subscriptions: list[Subscription] = field(default_factory=list)
    changed_subscriptions: list[Subscription] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def make_plan(documents: Sequence[Document], stored: Stored, secrets: SecretBox) -> Plan:
    """Compare documents with what is stored, and validate the catalog as it would be afterwards."""
    before = stored.everything()
    plan = Plan(after={**before, **{(document.kind, document.name): document for document in documents}})
    for document in documents:
        _place(document, before, stored, secrets, plan)
    # Given documents stand beside those they replace nothing of, so that one given twice is seen.
    given = {(document.kind, document.name) for document in documents}
    untouched = [document for key, document in before.items() if key not in given]
    plan.faults += check_catalog([*untouched, *documents], stored.broken.keys() - given)
    return plan


def _place(document: Document, before: Mapping[Key, Document], stored: Stored, secrets: SecretBox, plan: Plan) -> None:
    called = where(document.kind, document.name)
    old = before.get((document.kind, document.name))
    if isinstance(document, Subscription):
        changed = _place_subscription(document, stored, plan)
    else:
        try:
            sealed = _sealed(document, old, secrets)
            to_entity(sealed)
        except (SecretFault, ValueError) as error:
            plan.faults.append(Fault(f"{called}: value", str(error)))
            return
        except EntityTooLarge as error:
            plan.faults.append(Fault(called, f"is too large to be stored: {error}"))
            return
        changed = old is None or _differs(document, sealed, old, secrets)
        if changed:
            plan.puts.append(sealed)
    existed = old is not None or (document.kind, document.name) in stored.broken
    (plan.unchanged if not changed else plan.updated if existed else plan.created).append(called)


def _place_subscription(document: Subscription, stored: Stored, plan: Plan) -> bool:
    if document.name == MASTER and document.scope != "/apis":
        plan.faults.append(Fault(f"Subscription {MASTER}: scope", 'must be "/apis": it is the built-in all-access one'))
    record = stored.subscriptions.get(document.name)
    if record is None and (document.kind, document.name) in stored.broken:
        # Its keys are in the broken row. Whether they shall live is not for a file to say.
        remedy = f"delete it (`subscriptions delete {document.name}`) and apply again: it gets new keys"
        plan.faults.append(Fault(where(document.kind, document.name), f"its stored row cannot be read; {remedy}"))
        return False
    if record is None:
        plan.new_subscriptions.append(document)
        return True
    changed = changed_record(record, document) != record
    if changed:
        plan.changed_subscriptions.append(document)
    return changed


def _sealed(document: Document, old: Document | None, secrets: SecretBox) -> Document:
    if not isinstance(document, NamedValue):
        return document
    if document.value is not None:
        return seal(document, secrets)
    if not isinstance(old, StoredNamedValue):
        raise ValueError("is required, for none is stored yet")
    if document.secret != old.secret:
        raise ValueError("is required when secret changes")
    # A document without a value, as `export` writes it, leaves the value alone.
    fields = {name: value for name, value in document.to_json().items() if name != "kind"}
    kept = {name: value for name, value in old.to_json().items() if name in ("value", "encryptedValue")}
    return validate(StoredNamedValue, {**fields, **kept})


def _differs(document: Document, sealed: Document, old: Document, secrets: SecretBox) -> bool:
    if not isinstance(document, NamedValue) or not isinstance(old, StoredNamedValue):
        return document.to_json() != old.to_json()
    if not document.holds_secret:
        return sealed.to_json() != old.to_json()
    without = ("value", "encryptedValue")
    same_fields = _without(document, without) == _without(old, without)
    return not (same_fields and _holds(old, document.value, secrets))


def _without(document: Document, names: Sequence[str]) -> dict[str, object]:
    return {name: value for name, value in document.to_json().items() if name not in names}


def _holds(stored: StoredNamedValue, value: str | None, secrets: SecretBox) -> bool:
    # Encrypting twice never gives the same text, so what is compared is the secret.
    if stored.encrypted_value is None or not secrets.is_current(stored.encrypted_value):
        return False
    return secrets.decrypt(stored.encrypted_value) == value
