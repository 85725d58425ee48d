"""Who asks Azure for a token. azure-identity, and with it aiohttp, is imported on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential


def azure_credential(client_id: str | None, *, signed_in: bool) -> AsyncTokenCredential:
    """The managed identity; or, for people and pipelines, whoever is signed in with az or azd."""
    from azure.identity.aio import (
        AzureCliCredential,
        AzureDeveloperCliCredential,
        ChainedTokenCredential,
        ManagedIdentityCredential,
    )

    if signed_in:
        return ChainedTokenCredential(AzureCliCredential(), AzureDeveloperCliCredential())
    return ManagedIdentityCredential(client_id=client_id)
