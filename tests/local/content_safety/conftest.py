"""The stand-in for content safety, spoken to by the official clients and by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from azure.ai.contentsafety.aio import BlocklistClient, ContentSafetyClient
from azure.core.credentials import AzureKeyCredential

from local.content_safety import SafetyServer


@pytest.fixture
async def client(safety: SafetyServer) -> AsyncIterator[ContentSafetyClient]:
    async with ContentSafetyClient(safety.root, AzureKeyCredential("safety-key"), retry_total=0) as built:
        yield built


@pytest.fixture
async def lists(safety: SafetyServer) -> AsyncIterator[BlocklistClient]:
    async with BlocklistClient(safety.root, AzureKeyCredential("safety-key"), retry_total=0) as built:
        yield built


@pytest.fixture
def rest(safety: SafetyServer) -> Iterator[httpx2.Client]:
    """By hand, with the key and a version of the API that has prompt shields."""
    headers = {"Ocp-Apim-Subscription-Key": "safety-key"}
    base = f"{safety.root}/contentsafety/"
    with httpx2.Client(base_url=base, headers=headers, params={"api-version": "2024-09-01"}, timeout=5) as built:
        yield built
