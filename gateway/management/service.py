"""Everything an operator can do with the catalog. The command line calls this, and the management API will."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import get_args

from gateway.catalog import keys
from gateway.catalog.loading import validate, where
from gateway.catalog.models import (
    MODELS,
    Document,
    Gateway,
    Kind,
    StoredNamedValue,
    Subscription,
    SubscriptionState,
)
from gateway.catalog.secrets import SecretBox
from gateway.catalog.snapshot import Snapshot
from gateway.catalog.validation import uses
from gateway.errors import CatalogError, Fault
from gateway.management.cached_answers import CachedAnswers
from gateway.management.plan import Key, Plan, Stored, make_plan
from gateway.management.subscription_documents import changed_record, new_record, to_document
from gateway.storage.catalog import CatalogConflict, CatalogStore
from gateway.storage.subscriptions import BUILT_IN, Slot, SubscriptionRecord, SubscriptionStore
from gateway.storage.tables import Conflict

log = logging.getLogger("gateway.management")

# While others write the catalog at the same time.
CONFLICT_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 0.3

# Which kinds of documents may refer to one of another kind.
REFERRERS: Mapping[Kind, tuple[Kind, ...]] = MappingProxyType(
    {
        "Api": ("Subscription",),
        "Product": ("Api", "Subscription"),
        "Backend": ("Api", "Product", "Gateway"),
        "NamedValue": ("Api", "Product", "Gateway", "Backend"),
    }
)


class DocumentNotFound(CatalogError):
    """There is no such document."""

    def __init__(self, kind: Kind, name: str) -> None:
        super().__init__([Fault(where(kind, name), "does not exist")])


class StillInUse(CatalogError):
    """The document cannot be deleted; `users` are those that refer to it, as `Api openai`."""

    def __init__(self, kind: Kind, name: str, users: Sequence[str]) -> None:
        self.users = tuple(users)
        super().__init__([Fault(where(kind, name), f"is still used by {', '.join(users)}")])


@dataclass(frozen=True, slots=True)
class IssuedKeys:
    """The keys of a new subscription. This is the only time they are seen."""

    name: str
    state: SubscriptionState
    primary: str = field(repr=False)
    secondary: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What `apply` did. Documents are called as in `Api openai`; `keys` are by subscription."""

    revision: int
    created: tuple[str, ...]
    updated: tuple[str, ...]
    unchanged: tuple[str, ...]
    keys: Mapping[str, IssuedKeys]


class CatalogService:
    """Reads, validates and changes the catalog. Every refusal is a CatalogError with all its faults."""

    def __init__(
        self,
        catalog_store: CatalogStore,
        subscription_store: SubscriptionStore,
        secrets: SecretBox,
        environment: Mapping[str, str],
        cached: CachedAnswers | None = None,
    ) -> None:
        self._cached = cached
        self._catalog = catalog_store
        self._subscriptions = subscription_store
        self._secrets = secrets
        self._environment = environment

    async def check(self, documents: Sequence[Document]) -> list[Fault]:
        """What would be wrong with the catalog if these documents were applied. Nothing is written."""
        return make_plan(documents, await self._stored(), self._secrets).faults

    async def preview(self, documents: Sequence[Document]) -> tuple[Snapshot, list[Fault]]:
        """The catalog as this process would serve it if these documents were applied, its own app settings included."""
        stored = await self._stored()
        plan = make_plan(documents, stored, self._secrets)
        given = {(document.kind, document.name): document for document in plan.puts}
        broken = [fault for key, fault in stored.broken.items() if key not in given]
        parts = [*{**stored.documents, **given}.values(), *broken]
        snapshot, faults = Snapshot.build(stored.revision, parts, self._secrets, self._environment, None)
        return snapshot, [*plan.faults, *faults]

    async def apply(self, documents: Sequence[Document]) -> ApplyResult:
        """Create or change these documents, or none of them if anything is wrong. New subscriptions get keys."""
        return await _again_on_conflict(lambda: self._apply(documents))

    async def export(self) -> list[Document]:
        """The whole catalog, for `apply` to read back. No secret and no key is in it."""
        stored = await self._stored()
        unread = [fault for broken in (*stored.broken.values(), *stored.strange) for fault in broken.faults]
        if unread:
            # An incomplete export that looks complete is worse than none.
            raise CatalogError([*unread, Fault("", "nothing is exported; mend or delete what cannot be read first")])
        built_in = to_document(BUILT_IN)
        documents = [document for document in _in_order(stored.everything()) if document != built_in]
        return [_public(document) for document in documents]

    async def list(self, kind: Kind) -> list[Document]:
        """All documents of a kind by name, without secrets. There is always one Gateway and the subscription master."""
        stored = await self._stored()
        for (broken_kind, _), broken in stored.broken.items():
            if broken_kind == kind:
                log.error("left out: %s", "; ".join(str(fault) for fault in broken.faults))
        found = [_public(document) for document in _in_order(stored.everything()) if document.kind == kind]
        return found or ([Gateway()] if kind == "Gateway" else [])

    async def show(self, kind: Kind, name: str) -> Document:
        """One document, without secrets; raise DocumentNotFound."""
        stored = await self._stored()
        key: Key = (kind, name)
        if key in stored.broken:
            raise CatalogError(stored.broken[key].faults)
        document = stored.everything().get(key)
        if document is None and key == ("Gateway", "gateway"):
            return Gateway()
        if document is None:
            raise DocumentNotFound(kind, name)
        return _public(document)

    async def delete(self, kind: Kind, name: str) -> None:
        """Remove one document; raise DocumentNotFound, and StillInUse if another one refers to it.

        With a subscription go the answers that were kept for it.
        """
        if kind == "Subscription":
            if not await self._subscriptions.delete(name):
                raise DocumentNotFound(kind, name)
            if self._cached is not None:
                await self._cached.purge(None, name, None)
            return
        await _again_on_conflict(lambda: self._delete(kind, name))

    async def create_subscription(
        self,
        name: str,
        scope: str,
        display_name: str | None = None,
        start: datetime | str | None = None,
        expiration: datetime | str | None = None,
    ) -> IssuedKeys:
        """A new subscription. Where the product asks for approval, it starts as submitted, and its keys do not work."""
        fields = {
            "name": name,
            "displayName": display_name,
            "scope": scope,
            "startDate": start,
            "expirationDate": expiration,
        }
        document = validate(Subscription, {key: value for key, value in fields.items() if value is not None})
        stored = await self._stored()
        if name in stored.subscriptions or ("Subscription", name) in stored.broken:
            raise CatalogError([Fault(where("Subscription", name), "already exists")])
        plan = _accepted(make_plan([document], stored, self._secrets))
        try:
            return await self._issue(new_record(document, plan.after))
        except Conflict as error:
            raise CatalogError([Fault(where("Subscription", name), "already exists")]) from error

    async def regenerate_key(self, name: str, slot: Slot) -> str:
        """A new key in one slot. Instances that know the old one refuse it within GATEWAY_KEY_CACHE_SECONDS."""
        if slot not in get_args(Slot):
            raise CatalogError([Fault(where("Subscription", name), "a key is either primary or secondary")])
        key = keys.generate()
        if await self._subscriptions.set_key(name, slot, keys.digest(key)) is None:
            raise DocumentNotFound("Subscription", name)
        return key

    async def set_state(self, name: str, state: SubscriptionState) -> None:
        """Suspend, activate, approve or reject a subscription. Its keys stay the same."""
        if state not in get_args(SubscriptionState):
            known = ", ".join(get_args(SubscriptionState))
            raise CatalogError([Fault(f"{where('Subscription', name)}: state", f"must be one of {known}")])
        if await self._subscriptions.change(name, lambda record: replace(record, state=state)) is None:
            raise DocumentNotFound("Subscription", name)

    async def _apply(self, documents: Sequence[Document]) -> ApplyResult:
        stored = await self._stored()
        plan = _accepted(make_plan(documents, stored, self._secrets))
        revision = stored.revision
        if plan.puts:
            revision = await self._catalog.save(plan.puts, [], stored.revision)
        issued = {document.name: await self._add(document, plan) for document in plan.new_subscriptions}
        for document in plan.changed_subscriptions:
            await self._change(document)
        return ApplyResult(
            revision,
            tuple(plan.created),
            tuple(plan.updated),
            tuple(plan.unchanged),
            {name: pair for name, pair in issued.items() if pair is not None},
        )

    async def _add(self, document: Subscription, plan: Plan) -> IssuedKeys | None:
        try:
            return await self._issue(new_record(document, plan.after))
        except Conflict:
            # Somebody else created it a moment ago and has its keys.
            await self._change(document)
            return None

    async def _issue(self, record: SubscriptionRecord) -> IssuedKeys:
        primary, secondary = keys.generate(), keys.generate()
        await self._subscriptions.create(
            replace(record, primary_digest=keys.digest(primary), secondary_digest=keys.digest(secondary))
        )
        return IssuedKeys(record.name, record.state, primary, secondary)

    async def _change(self, document: Subscription) -> None:
        await self._subscriptions.change(document.name, lambda record: changed_record(record, document))

    async def _delete(self, kind: Kind, name: str) -> None:
        stored = await self._stored()
        key: Key = (kind, name)
        if key not in stored.documents and key not in stored.broken:
            raise DocumentNotFound(kind, name)
        users = uses(tuple(stored.everything().values()), kind, name)
        if users:
            raise StillInUse(kind, name, users)
        self._refuse_if_unreadable(stored, key)
        await self._catalog.save([], [key], stored.revision)

    def _refuse_if_unreadable(self, stored: Stored, key: Key) -> None:
        kind, name = key
        unreadable = [where(*each) for each in stored.broken if each[0] in REFERRERS.get(kind, ()) and each != key]
        if unreadable:
            problem = f"may be used by {', '.join(unreadable)}, which cannot be read; delete or mend that first"
            raise CatalogError([Fault(where(kind, name), problem)])

    async def _stored(self) -> Stored:
        revision, found = await self._catalog.load()
        return Stored.of(revision, found, await self._subscriptions.list())


async def _again_on_conflict[Result](work: Callable[[], Awaitable[Result]]) -> Result:
    """Do `work`, again after a moment if somebody else wrote meanwhile. Raises CatalogConflict if that goes on."""
    deadline = time.monotonic() + CONFLICT_SECONDS
    while True:
        try:
            return await work()
        except CatalogConflict:
            if time.monotonic() >= deadline:
                raise
            # Each waits for another time, or all would meet again.
            await asyncio.sleep(random.uniform(0.01, LONGEST_PAUSE_SECONDS))


def _accepted(plan: Plan) -> Plan:
    if plan.faults:
        raise CatalogError(plan.faults)
    return plan


def _in_order(documents: Mapping[Key, Document]) -> Sequence[Document]:
    """As they must be created: nothing before what it refers to."""
    order = tuple(MODELS)
    return sorted(documents.values(), key=lambda document: (order.index(document.kind), document.name))


def _public(document: Document) -> Document:
    return document.public() if isinstance(document, StoredNamedValue) else document
