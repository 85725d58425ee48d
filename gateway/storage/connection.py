"""From the setting GATEWAY_TABLES to azure-data-tables' own client, which is imported when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.azure_identity import azure_credential

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.data.tables.aio import TableServiceClient

CONNECT_SECONDS = 2
READ_SECONDS = 5
RETRIES = 2
BACKOFF_SECONDS = 0.1

# The documented account of every local emulator: not a secret.
DEVELOPMENT_STORAGE = "usedevelopmentstorage=true"
DEVELOPMENT_ACCOUNT = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1;"
)


def connect(
    location: str, client_id: str | None, *, signed_in: bool = False
) -> tuple[TableServiceClient, AsyncTokenCredential | None]:
    """The client, and the identity if it uses one; raise ValueError for a connection string that is none."""
    from azure.data.tables.aio import TableServiceClient

    options: dict[str, Any] = {
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
        "retry_total": RETRIES,
        "retry_backoff_factor": BACKOFF_SECONDS,
        "retry_backoff_max": 1,
    }
    if not location.lower().startswith("https://"):
        return TableServiceClient.from_connection_string(_connection_string(location), **options), None
    identity = azure_credential(client_id, signed_in=signed_in)
    return TableServiceClient(location, credential=identity, **options), identity


def _connection_string(location: str) -> str:
    text = location.strip().rstrip(";")
    return DEVELOPMENT_ACCOUNT if text.lower() == DEVELOPMENT_STORAGE else text
