"""What tests of the catalog's management share: an operator, and a catalog to begin with."""

import base64
import contextlib
from typing import Any, get_args

import pytest
from azure.core.exceptions import ResourceNotFoundError

from gateway.catalog.loading import parse_documents
from gateway.catalog.secrets import SecretBox
from gateway.catalog.snapshot import Snapshot
from gateway.errors import CatalogError
from gateway.management.service import CatalogService
from gateway.storage.catalog import CatalogStore
from gateway.storage.subscriptions import SubscriptionStore
from gateway.storage.tables import TableName, Tables

OLD, NEW = (base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2))
SECRET = "sk-very-secret-é"
CATALOG = """
{kind: NamedValue, name: key, value: sk-very-secret-é}
---
{kind: Product, name: starter, state: published}
---
{kind: Product, name: gold, state: published, approvalRequired: true}
---
{kind: Backend, name: model, url: "http://model.example", credentials: {header: Authorization, value: "Bearer {{key}}"}}
---
{kind: Api, name: openai, path: openai, type: openai, backend: model, products: [starter]}
---
{kind: Subscription, name: team, scope: /products/starter, displayName: Team, startDate: 2026-01-01}
"""


class Operator:
    """The service with its stores within reach."""

    def __init__(self, tables: Tables, *keys: str) -> None:
        self.tables = tables
        self.catalog = CatalogStore(tables)
        self.subscriptions = SubscriptionStore(tables)
        self.secrets = SecretBox(keys)
        self.service = CatalogService(self.catalog, self.subscriptions, self.secrets, {"TOKEN": "t-1"})

    async def apply(self, text: str = CATALOG) -> Any:
        """Apply documents written as YAML."""
        return await self.service.apply(parse_documents(text, "x"))

    async def everything_stored(self) -> str:
        """All rows of all tables, every property of them."""
        rows = []
        for name in get_args(TableName):
            client = await self.tables.client(name)
            with contextlib.suppress(ResourceNotFoundError):
                rows += [repr(dict(entity)) async for entity in client.list_entities()]
        return "\n".join(rows)

    async def snapshot(self, previous: Snapshot | None = None) -> tuple[Snapshot, list[str]]:
        """What an instance would serve now."""
        revision, documents = await self.catalog.load()
        snapshot, faults = Snapshot.build(revision, documents, self.secrets, {"TOKEN": "t-1"}, previous)
        return snapshot, [str(fault) for fault in faults]


def refusals(error: pytest.ExceptionInfo[CatalogError]) -> list[str]:
    """The faults as text."""
    return [str(fault) for fault in error.value.faults]
