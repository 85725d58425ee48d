"""Keys are remembered, refreshed beside the path, and looked up once however many ask."""

import asyncio

import pytest

from gateway.catalog.keys import digest, generate
from gateway.errors import StorageUnavailable, UnavailableError
from gateway.policies.key_cache import FIRST_LOOK_UPS_AT_ONCE, UNKNOWN_SIZE, KeyCache
from gateway.storage.subscriptions import SubscriptionRecord
from tests.clock import Clock, settle


def record(name: str = "team", state: str = "active") -> SubscriptionRecord:
    """A subscription to all APIs."""
    return SubscriptionRecord(
        name=name,
        display_name=None,
        scope_kind="all",
        scope_name=None,
        state=state,
        start=None,
        expiration=None,
        primary_digest=None,
        secondary_digest=None,
    )


class Storage:
    """Stands where the subscription store does: counts look-ups, may be away, may be slow."""

    def __init__(self, **keys: SubscriptionRecord) -> None:
        self.records = {digest(key): value for key, value in keys.items()}
        self.look_ups = 0
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def find(self, name: str) -> SubscriptionRecord | None:
        self.look_ups += 1
        await self.gate.wait()
        if self.away:
            raise StorageUnavailable("no answer")
        return self.records.get(name)


KEY = generate()


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_a_known_key_costs_one_look_up(clock: Clock) -> None:
    """A thousand calls, one question to storage."""
    storage = Storage(**{KEY: record()})
    cache = KeyCache(storage.find, now=clock)
    for _ in range(1000):
        found = await cache.find(KEY)
        assert found is not None
        assert found.name == "team"
    assert storage.look_ups == 1


async def test_a_flood_of_random_keys_costs_nothing(clock: Clock) -> None:
    """Keys without a right checksum never reach storage."""
    storage = Storage()
    cache = KeyCache(storage.find, now=clock)
    for number in range(1000):
        assert await cache.find(f"gw_{number:049d}") is None
        assert await cache.find(f"sk-{number}") is None
    assert storage.look_ups == 0


async def test_an_unknown_key_is_remembered_for_a_while(clock: Clock) -> None:
    """Asked again only after the unknown-key time; then a key made meanwhile works."""
    storage = Storage()
    cache = KeyCache(storage.find, unknown_seconds=5, now=clock)
    assert await cache.find(KEY) is None
    storage.records[digest(KEY)] = record()
    clock.time += 4.9
    assert await cache.find(KEY) is None
    assert storage.look_ups == 1
    clock.time += 0.2
    assert await cache.find(KEY) is not None


async def test_a_key_about_to_grow_stale_is_refreshed_beside_the_path(clock: Clock) -> None:
    """The caller is served from memory while the look-up runs; the next one sees the change."""
    storage = Storage(**{KEY: record()})
    cache = KeyCache(storage.find, known_seconds=30, now=clock)
    await cache.find(KEY)
    storage.records[digest(KEY)] = record(state="suspended")
    storage.gate.clear()
    clock.time += 21
    served = await cache.find(KEY)
    assert served is not None
    assert served.state == "active"
    storage.gate.set()
    await settle()
    refreshed = await cache.find(KEY)
    assert refreshed is not None
    assert refreshed.state == "suspended"
    assert storage.look_ups == 2


async def test_a_revoked_key_dies_within_the_time(clock: Clock) -> None:
    """Past the known-key time the caller waits for storage's word."""
    storage = Storage(**{KEY: record()})
    cache = KeyCache(storage.find, known_seconds=30, now=clock)
    await cache.find(KEY)
    storage.records.clear()
    clock.time += 30
    assert await cache.find(KEY) is None


async def test_many_callers_share_one_look_up(clock: Clock) -> None:
    """A thousand at once with the same new key ask storage once; one's leaving does not fail the rest."""
    storage = Storage(**{KEY: record()})
    storage.gate.clear()
    cache = KeyCache(storage.find, now=clock)
    callers = [asyncio.create_task(cache.find(KEY)) for _ in range(1000)]
    await settle()
    callers[0].cancel()
    await settle()
    storage.gate.set()
    answers = await asyncio.gather(*callers[1:])
    assert all(answers)
    assert storage.look_ups == 1


async def test_known_keys_outlive_an_outage(clock: Clock) -> None:
    """While storage is away known keys go on working, asked for again at most every five seconds."""
    storage = Storage(**{KEY: record()})
    cache = KeyCache(storage.find, known_seconds=30, now=clock)
    await cache.find(KEY)
    storage.away = True
    clock.time += 31
    for _ in range(100):
        assert await cache.find(KEY) is not None
        await settle()
    assert storage.look_ups == 2
    clock.time += 6
    storage.away = False
    storage.records.clear()
    await cache.find(KEY)
    await settle()
    assert await cache.find(KEY) is None


async def test_a_key_revoked_after_an_outage_is_not_admitted(clock: Clock) -> None:
    """A failed refresh long ago does not keep a key alive: past its time the caller waits for storage's word."""
    storage = Storage(**{KEY: record()})
    cache = KeyCache(storage.find, known_seconds=30, now=clock)
    await cache.find(KEY)
    storage.away = True
    clock.time += 21
    await cache.find(KEY)
    await settle()
    storage.away = False
    storage.records.clear()
    clock.time += 86_400
    assert await cache.find(KEY) is None


async def test_an_unknown_key_in_an_outage_is_unavailable_not_invalid(clock: Clock) -> None:
    """Failure never reads as a refusal: 503, not 401."""
    storage = Storage()
    storage.away = True
    with pytest.raises(UnavailableError) as refused:
        await KeyCache(storage.find, now=clock).find(KEY)
    assert (refused.value.status, refused.value.code) == (503, "SubscriptionsUnavailable")


async def test_memory_is_bounded(clock: Clock) -> None:
    """The least recently used keys leave."""
    storage = Storage(**{KEY: record()})
    cache = KeyCache(storage.find, size=10, now=clock)
    await cache.find(KEY)
    for _ in range(50):
        another = generate()
        storage.records[digest(another)] = record()
        assert await cache.find(another) is not None
    assert len(cache._known) == 10


async def test_forged_keys_push_no_known_key_out(clock: Clock) -> None:
    """Whoever makes keys up, checksum and all, fills a place of its own, and that is bounded too."""
    storage = Storage(**{KEY: record()})
    cache = KeyCache(storage.find, size=10, now=clock)
    await cache.find(KEY)
    for _ in range(UNKNOWN_SIZE + 10):
        assert await cache.find(generate()) is None
    asked = storage.look_ups
    assert await cache.find(KEY) is not None
    assert storage.look_ups == asked
    assert len(cache._unknown) == UNKNOWN_SIZE


async def test_forged_keys_take_no_turn_from_known_ones(clock: Clock) -> None:
    """However many new keys wait for storage, few are asked for at once, and a known key's look-up waits for none."""
    storage = Storage(**{KEY: record()})
    cache = KeyCache(storage.find, known_seconds=30, now=clock)
    await cache.find(KEY)
    storage.gate.clear()
    forged = [asyncio.create_task(cache.find(generate())) for _ in range(100)]
    await settle()
    assert storage.look_ups == 1 + FIRST_LOOK_UPS_AT_ONCE
    clock.time += 21
    assert await cache.find(KEY) is not None
    await settle()
    assert storage.look_ups == 2 + FIRST_LOOK_UPS_AT_ONCE
    storage.gate.set()
    assert await asyncio.gather(*forged) == [None] * 100


async def test_a_known_key_does_not_wait_long_for_a_storage_that_hangs(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a moment it is served as in an outage; the answer counts when it comes."""
    monkeypatch.setattr("gateway.policies.key_cache.PATIENCE_SECONDS", 0.05)
    storage = Storage(**{KEY: record()})
    cache = KeyCache(storage.find, known_seconds=30, now=clock)
    await cache.find(KEY)
    storage.gate.clear()
    clock.time += 31
    assert await cache.find(KEY) is not None
    assert await asyncio.wait_for(cache.find(KEY), 0.04) is not None
    storage.records.clear()
    storage.gate.set()
    await settle()
    assert await cache.find(KEY) is None


async def test_an_unexpected_failure_beside_the_path_is_logged(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waits for a look-up in the background, so the log is where its failure is heard."""
    storage = Storage(**{KEY: record()})
    cache = KeyCache(storage.find, known_seconds=30, now=clock)
    await cache.find(KEY)

    async def broken(name: str) -> SubscriptionRecord | None:
        raise ZeroDivisionError("a bug")

    cache._find = broken
    clock.time += 21
    assert await cache.find(KEY) is not None
    await settle()
    assert "a subscription key could not be looked up" in caplog.text
    assert KEY not in caplog.text
