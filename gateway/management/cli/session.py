"""From click's synchronous commands to the asynchronous service: connect, do one piece of work, close."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import click

from gateway.catalog.secrets import SecretBox
from gateway.management.cached_answers import AnswersStore, CachedAnswers
from gateway.management.cli.options import SETTINGS, TABLES
from gateway.management.cli.surroundings import Surroundings
from gateway.management.service import CatalogService
from gateway.settings import Settings
from gateway.storage.cache import CacheStore
from gateway.storage.catalog import CatalogStore
from gateway.storage.redis_cache import RedisCacheStore
from gateway.storage.subscriptions import SubscriptionStore
from gateway.storage.tables import Tables

# Where the connection to it is kept while a command is at work.
REDIS = "gateway.redis"


def run[Result](work: Callable[[CatalogService], Awaitable[Result]]) -> Result:
    """Do `work` with the service that the current command's settings describe."""
    return run_on_tables(lambda tables: work(service_on(tables)))


def service_on(tables: Tables) -> CatalogService:
    """The service that the current command's settings describe, over its tables."""
    settings, environment = current_settings()
    return CatalogService(
        CatalogStore(tables),
        SubscriptionStore(tables),
        SecretBox(settings.secret_keys),
        environment,
        CachedAnswers(answers_store(tables)),
    )


def answers_store(tables: Tables) -> AnswersStore:
    """Where the settings say that the cache's answers are."""
    settings, _ = current_settings()
    if not settings.cache:
        return CacheStore(tables)
    meta = click.get_current_context().meta
    if REDIS not in meta:
        meta[REDIS] = RedisCacheStore(settings.cache)
    made: RedisCacheStore = meta[REDIS]
    return made


def run_on_tables[Result](work: Callable[[Tables], Awaitable[Result]]) -> Result:
    """Do `work` with the tables that the current command's settings lead to."""
    settings, _ = current_settings()
    return asyncio.run(_connected(settings, work))


def current_settings() -> tuple[Settings, Mapping[str, str]]:
    """The settings of the current command, and the environment they came from; raise ConfigurationError."""
    meta = click.get_current_context().meta
    if SETTINGS not in meta:
        # Once for a command, for reading them may say something.
        meta[SETTINGS] = surroundings().settings(meta.get(TABLES))
    found: tuple[Settings, Mapping[str, str]] = meta[SETTINGS]
    return found


def surroundings() -> Surroundings:
    """Where the current command runs."""
    found = click.get_current_context().obj
    assert isinstance(found, Surroundings)
    return found


async def _connected[Result](settings: Settings, work: Callable[[Tables], Awaitable[Result]]) -> Result:
    tables = Tables(settings, signed_in=True)
    try:
        return await work(tables)
    finally:
        await tables.aclose()
        redis: RedisCacheStore | None = click.get_current_context().meta.pop(REDIS, None)
        if redis is not None:
            await redis.aclose()
