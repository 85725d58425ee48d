"""All checks, in the order in which one needs the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from gateway.errors import CatalogError, StorageUnavailable
from gateway.management.doctor.bounded import bounded, bounded_group
from gateway.management.doctor.catalog import check_backends, check_catalog
from gateway.management.doctor.finding import Finding
from gateway.management.doctor.settings import check_names, check_secret_key, check_telemetry
from gateway.management.doctor.storage import check_storage
from gateway.management.service import CatalogService
from gateway.settings import Settings
from gateway.storage.redis_cache import RedisCacheStore
from gateway.storage.tables import Tables

NEED_STORAGE = ("secret key", "catalog", "backends", "embeddings", "content safety")


async def examine(
    settings: Settings, environment: Mapping[str, str], tables: Tables, service: CatalogService
) -> AsyncIterator[Finding]:
    """Every finding as it comes. What a failing check leaves unknown is skipped, and said so."""
    yield Finding("settings", "ok", "All can be read.")
    for finding in check_names(environment):
        yield finding
    is_well = True
    async for finding in bounded_group("storage", check_storage(tables)):
        is_well = is_well and finding.state != "failed"
        yield finding
    if is_well:
        async for finding in bounded_group("catalog", _of_catalog(settings, service)):
            yield finding
    else:
        for check in NEED_STORAGE:
            yield Finding(check, "skipped", "It is in storage.")
    if settings.cache:
        for finding in await bounded("redis", _check_redis(settings)):
            yield finding
    for finding in check_telemetry(environment, settings):
        yield finding


async def _of_catalog(settings: Settings, service: CatalogService) -> AsyncIterator[Finding]:
    try:
        snapshot, faults = await service.preview([])
    except (StorageUnavailable, CatalogError) as error:
        yield Finding(
            "catalog", "failed", f"It cannot be read: {error}.", "Run this again; if it stays, see docs/deploy.md."
        )
        return
    documents = list(snapshot.documents.values())
    yield check_secret_key(settings, documents)
    for finding in check_catalog(snapshot, faults, documents):
        yield finding
    async for finding in check_backends(snapshot, settings.azure_client_id):
        yield finding


async def _check_redis(settings: Settings) -> list[Finding]:
    store = RedisCacheStore(settings.cache)
    try:
        async for _ in store.scopes():
            break
    except StorageUnavailable as error:
        return [Finding("redis", "failed", f"{error}. Nothing is answered from the cache.", "Check GATEWAY_CACHE.")]
    finally:
        await store.aclose()
    return [Finding("redis", "ok", "It answers.")]
