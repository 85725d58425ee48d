"""Table Storage: one client for all tables, short timeouts, tables made on first use, failures in our own words.

azure-data-tables is imported when the first call is made, so that importing this costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from gateway.errors import StorageUnavailable
from gateway.settings import Settings
from gateway.storage.connection import connect
from gateway.storage.limits import LONGEST_KEY, EntityTooLarge, check_entity

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.exceptions import AzureError, HttpResponseError
    from azure.data.tables.aio import TableClient, TableServiceClient

# One call with all its retries.
CALL_SECONDS = 8.0

# Behind every key that `encode_key` makes.
LAST_KEY = "~" * LONGEST_KEY

TableName = Literal[
    "gatewaycatalog", "gatewaysubscriptions", "gatewaykeys", "gatewayledger", "gatewayusage", "gatewaycache"
]


class NotFound(Exception):
    """There is no such entity, or no such table."""


class Conflict(Exception):
    """There is such an entity already."""


class PreconditionFailed(Exception):
    """The entity has changed since it was read."""


@dataclass(frozen=True, slots=True)
class Row:
    """An entity as it was read."""

    values: Mapping[str, Any]
    etag: str


@dataclass(frozen=True, slots=True)
class Put:
    """Write a whole entity: always; or only if it is still the one with `etag`; or only if it is `new`."""

    entity: Mapping[str, Any]
    etag: str | None = None
    new: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove an entity, which must be there."""

    partition: str
    row: str


Change = Put | Delete


class Tables:
    """All tables of one account. `operations` counts the calls sent, for tests to prove that there were none.

    With the account's URL it is the managed identity that asks; `signed_in`: whoever is signed in with az or azd,
    unless the settings name a managed identity.
    """

    def __init__(self, settings: Settings, call_seconds: float = CALL_SECONDS, *, signed_in: bool = False) -> None:
        self.operations = 0
        self._call_seconds = call_seconds
        self._location = settings.tables
        self._client_id = settings.azure_client_id
        self._service: TableServiceClient | None = None
        self._signed_in = signed_in and settings.azure_client_id is None
        self._identity: AsyncTokenCredential | None = None

    def table(self, name: TableName) -> Table:
        """One table. It need not exist yet."""
        return Table(self, name)

    async def client(self, name: str) -> TableClient:
        """azure-data-tables' own client of one table; raise StorageUnavailable if the setting makes no sense."""
        if self._service is None:
            try:
                self._service, self._identity = connect(self._location, self._client_id, signed_in=self._signed_in)
            except ValueError:
                # Not chained: the text of that error may hold the connection string.
                raise StorageUnavailable("GATEWAY_TABLES is a connection string that cannot be read") from None
        return self._service.get_table_client(name)

    async def send[Answer](self, name: str, operation: Callable[[TableClient], Awaitable[Answer]]) -> Answer:
        """Run one operation on one table.

        Raises NotFound, Conflict and PreconditionFailed for 404, 409 and 412, EntityTooLarge for what it does not
        take, and StorageUnavailable for the rest.
        """
        from azure.core.exceptions import AzureError

        client = await self.client(name)
        self.operations += 1
        try:
            async with asyncio.timeout(self._call_seconds):
                return await operation(client)
        except AzureError as error:
            raise translate(error, self.host, signed_in=self._signed_in) from error
        except (OSError, TimeoutError) as error:
            raise StorageUnavailable(f"Table Storage at {self.host} did not answer in time") from error

    async def create(self, name: str) -> None:
        """Make a table; nothing happens if it is there."""
        try:
            await self.send(name, lambda client: client.create_table())
        except Conflict:
            return

    async def aclose(self) -> None:
        """Close all connections. The next call opens new ones."""
        service, self._service = self._service, None
        identity, self._identity = self._identity, None
        if service is not None:
            await service.close()
        if identity is not None:
            await identity.close()

    @property
    def host(self) -> str:
        """The server's host and port, for messages. The rest of its address may hold a signature."""
        return urlsplit(self._service.url).netloc.rpartition("@")[2] if self._service else "an unknown address"


class Table:
    """One table. Writing makes it if it is missing; reading finds nothing in it then."""

    def __init__(self, tables: Tables, name: TableName) -> None:
        self._tables = tables
        self._name = name

    async def get(self, partition: str, row: str) -> Row:
        """One entity; raise NotFound."""
        entity = await self._tables.send(self._name, lambda client: client.get_entity(partition, row))
        return Row(entity, str(entity.metadata["etag"]))

    async def rows(self, partition: str) -> list[Row]:
        """All entities of a partition, in the order of their row keys."""

        async def read(client: TableClient) -> list[Row]:
            found: list[Row] = []
            pages = client.query_entities("PartitionKey eq @partition", parameters={"partition": partition}).by_page()
            async for page in pages:
                found += [Row(entity, str(entity.metadata["etag"])) async for entity in page]
            return found

        try:
            return await self._tables.send(self._name, read)
        except NotFound:
            return []

    async def pages(self, first: str = "", end: str = LAST_KEY) -> AsyncIterator[list[Row]]:
        """All entities of the partitions from `first` up to but not `end`, page by page, in the order of their keys.

        Each page is a call of its own, so that much to read does not take one call's time.
        """
        token: Any = None
        while True:
            try:
                page, token = await self._tables.send(self._name, partial(_page, first, end, token))
            except NotFound:
                return
            yield page
            if not token:
                return

    async def row_keys(self, **properties: str) -> list[str]:
        """The row keys of all entities with these properties. Looks through the whole table."""
        filters = " and ".join(f"{name} eq @{name}" for name in properties)

        async def read(client: TableClient) -> list[str]:
            found = client.query_entities(filters, parameters=properties, select=["RowKey"])
            return [str(entity["RowKey"]) async for entity in found]

        try:
            return await self._tables.send(self._name, read)
        except NotFound:
            return []

    async def put(self, change: Put) -> None:
        """Write one entity; raise Conflict or PreconditionFailed as the change asks for."""
        await self.transact([change])

    async def delete(self, partition: str, row: str) -> None:
        """Remove one entity. One that is not there is as good as removed."""
        try:
            await self._tables.send(self._name, lambda client: client.delete_entity(partition, row))
        except NotFound:
            return

    async def transact(self, changes: Sequence[Change]) -> list[str | None]:
        """All changes or none: at most 100, in one partition. The new ETags, in the order of the changes."""
        for change in changes:
            if isinstance(change, Put):
                check_entity(change.entity)
        # Only a write of something new can find the table missing: what has an ETag was in it.
        try:
            return await self._submit(changes)
        except NotFound:
            if any(isinstance(change, Delete) or change.etag for change in changes):
                raise
            await self._tables.create(self._name)
            return await self._submit(changes)

    async def _submit(self, changes: Sequence[Change]) -> list[str | None]:
        operations = [_operation(change) for change in changes]
        answers = await self._tables.send(self._name, lambda client: client.submit_transaction(operations))
        return [answer.get("etag") for answer in answers]


async def _page(first: str, end: str, token: Any, client: TableClient) -> tuple[list[Row], Any]:
    """One page of entities, and the token that leads to the next one."""
    found = client.query_entities(
        "PartitionKey ge @first and PartitionKey lt @end", parameters={"first": first, "end": end}
    )
    pages = found.by_page(continuation_token=token)
    rows = [Row(entity, str(entity.metadata["etag"])) async for entity in await anext(pages)]
    return rows, getattr(pages, "continuation_token", None)


def _operation(change: Change) -> tuple[Any, ...]:
    from azure.core import MatchConditions
    from azure.data.tables import UpdateMode

    if isinstance(change, Delete):
        return ("delete", {"PartitionKey": change.partition, "RowKey": change.row})
    entity = dict(change.entity)
    if change.new:
        return ("create", entity)
    if change.etag is None:
        return ("upsert", entity, {"mode": UpdateMode.REPLACE})
    conditions = {"etag": change.etag, "match_condition": MatchConditions.IfNotModified}
    return ("update", entity, {"mode": UpdateMode.REPLACE, **conditions})


def translate(error: AzureError, host: str, *, signed_in: bool = False) -> Exception:
    """azure-core's exception as one of ours. Only status and code are kept: its text may hold addresses and keys."""
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

    if isinstance(error, HttpResponseError) and error.status_code is not None and _answered_by(error) in ("", host):
        return _refusal(error, error.status_code, host)
    if isinstance(error, HttpResponseError | ClientAuthenticationError) and signed_in:
        return StorageUnavailable("there is no token for Table Storage; sign in with `az login` or `azd auth login`")
    if isinstance(error, HttpResponseError | ClientAuthenticationError):
        return StorageUnavailable(
            "the managed identity gave no token for Table Storage; check that the app has one, and AZURE_CLIENT_ID"
        )
    return StorageUnavailable(f"Table Storage at {host} cannot be reached ({type(error).__name__})")


def _answered_by(error: HttpResponseError) -> str:
    """Who sent the answer: the identity endpoint's come through the same client as the tables' own."""
    request = getattr(error.response, "request", None)
    return urlsplit(str(getattr(request, "url", ""))).netloc


def _refusal(error: HttpResponseError, status: int, host: str) -> Exception:
    code = getattr(error, "error_code", None)
    name = str(getattr(code, "value", code) or "no code")
    match status:
        case 404:
            return NotFound(name)
        case 409 if name != "TableBeingDeleted":
            return Conflict(name)
        case 412:
            return PreconditionFailed(name)
        case 401 | 403:
            return StorageUnavailable(
                f"Table Storage at {host} refuses the gateway ({status} {name}); check the key in GATEWAY_TABLES, "
                'or give the managed identity the role "Storage Table Data Contributor"'
            )
    if name in ("EntityTooLarge", "PropertyValueTooLarge", "RequestBodyTooLarge"):
        return EntityTooLarge(f"Table Storage at {host} refuses it ({name})")
    return StorageUnavailable(f"Table Storage at {host} answered {status} ({name})")
