"""Between a Subscription as people write it and the record that is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.catalog.fields import write_moment
from gateway.catalog.loading import validate
from gateway.catalog.models import Document, Kind, Product, Subscription, SubscriptionState
from gateway.storage.subscriptions import ScopeKind, SubscriptionRecord


def to_document(record: SubscriptionRecord) -> Subscription:
    """The document of a record. The state is always in it: left out, it would mean "as it is"."""
    fields: dict[str, Any] = {
        "name": record.name,
        "displayName": record.display_name,
        "scope": _scope(record),
        "state": record.state,
        "startDate": record.start and write_moment(record.start),
        "expirationDate": record.expiration and write_moment(record.expiration),
    }
    return validate(Subscription, {name: value for name, value in fields.items() if value is not None})


def new_record(document: Subscription, catalog: Mapping[tuple[Kind, str], Document]) -> SubscriptionRecord:
    """The record of a new subscription, without keys yet. A product may ask for approval first."""
    record = changed_record(SubscriptionRecord(document.name), document)
    if "state" in document.model_fields_set:
        return record
    return replace(record, state=_first_state(record, catalog))


def changed_record(record: SubscriptionRecord, document: Subscription) -> SubscriptionRecord:
    """The record after a document is applied to it. Its keys stay; its state does, if the document names none.

    Otherwise applying the same file again would wake a subscription that an operator has suspended.
    """
    kind, name = _scope_parts(document.scope)
    return replace(
        record,
        display_name=document.display_name,
        scope_kind=kind,
        scope_name=name,
        state=document.state if "state" in document.model_fields_set else record.state,
        start=document.start_date,
        expiration=document.expiration_date,
    )


def _first_state(record: SubscriptionRecord, catalog: Mapping[tuple[Kind, str], Document]) -> SubscriptionState:
    product = catalog.get(("Product", record.scope_name or "")) if record.scope_kind == "product" else None
    return "submitted" if isinstance(product, Product) and product.approval_required else "active"


def _scope(record: SubscriptionRecord) -> str:
    return {"all": "/apis", "api": f"/apis/{record.scope_name}", "product": f"/products/{record.scope_name}"}[
        record.scope_kind
    ]


def _scope_parts(scope: str) -> tuple[ScopeKind, str | None]:
    _, collection, *name = scope.split("/")
    if not name:
        return "all", None
    return ("api" if collection == "apis" else "product"), name[0]
