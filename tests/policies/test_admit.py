"""Who gets in: the rules of API Management as one table, and where a key may stand."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.body import RequestBody
from gateway.call import Call, Reply
from gateway.catalog.keys import generate
from gateway.catalog.loading import parse_documents
from gateway.catalog.secrets import SecretBox
from gateway.catalog.snapshot import ApiEntry, Snapshot
from gateway.errors import PolicyError
from gateway.policies.admit import Admit, KeyPlaces, PresentedKey
from gateway.policies.key_cache import KeyCache
from gateway.storage.subscriptions import SubscriptionRecord

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MISSING = (
    "Access denied due to missing subscription key. "
    "Make sure to include subscription key when making requests to this API."
)
INVALID = "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription."
IN = "in"


@dataclass(frozen=True)
class Case:
    """One row: the subscription behind the key (None: no key; "unknown": a key nobody has), the API, the products."""

    expected: str
    subscription: dict[str, Any] | str | None
    api_needs_subscription: bool = True
    product: str = "state: published"
    in_context_of: str | None = None


ALL = {"scope_kind": "all"}
THIS_API = {"scope_kind": "api", "scope_name": "chat"}
THIS_PRODUCT = {"scope_kind": "product", "scope_name": "starter"}
OPEN = "state: published\nsubscriptionRequired: false"
CASES = {
    "all-access key": Case(IN, ALL),
    "key for this API": Case(IN, THIS_API),
    "key for the product": Case(IN, THIS_PRODUCT, in_context_of="starter"),
    "key for another API": Case(INVALID, {"scope_kind": "api", "scope_name": "other"}),
    "key for another product": Case(INVALID, {"scope_kind": "product", "scope_name": "other"}),
    "product not published": Case(INVALID, THIS_PRODUCT, product="state: notPublished"),
    "unknown key": Case(INVALID, "unknown"),
    "malformed key": Case(INVALID, "malformed"),
    "no key": Case(MISSING, None),
    "submitted": Case(INVALID, ALL | {"state": "submitted"}),
    "suspended": Case(INVALID, ALL | {"state": "suspended"}),
    "rejected": Case(INVALID, ALL | {"state": "rejected"}),
    "cancelled": Case(INVALID, ALL | {"state": "cancelled"}),
    "expired by state": Case(INVALID, ALL | {"state": "expired"}),
    "not yet started": Case(INVALID, ALL | {"start": datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC)}),
    "starts now": Case(IN, ALL | {"start": NOW}),
    "expired by date": Case(INVALID, ALL | {"expiration": NOW}),
    "expires in a second": Case(IN, ALL | {"expiration": datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC)}),
    "open product, no key": Case(IN, None, product=OPEN, in_context_of="starter"),
    "open product, unknown key is ignored": Case(IN, "unknown", product=OPEN, in_context_of="starter"),
    "open product, suspended key is ignored": Case(
        IN, ALL | {"state": "suspended"}, product=OPEN, in_context_of="starter"
    ),
    "open product, valid key keeps its own context": Case(IN, ALL, product=OPEN),
    "open but not published product, no key": Case(
        MISSING, None, product="state: notPublished\nsubscriptionRequired: false"
    ),
    "API needs none, no key": Case(IN, None, api_needs_subscription=False),
    "API needs none, unknown key": Case(INVALID, "unknown", api_needs_subscription=False),
    "API needs none, malformed key": Case(INVALID, "malformed", api_needs_subscription=False),
    "API needs none, valid key": Case(IN, ALL, api_needs_subscription=False),
    "API needs none, key for another API": Case(
        INVALID, {"scope_kind": "api", "scope_name": "other"}, api_needs_subscription=False
    ),
}


def entry(api_needs_subscription: bool = True, product: str = "state: published", more: str = "") -> ApiEntry:
    """The API `chat` in the product `starter`, from YAML as an operator writes it."""
    text = f"""
kind: Product
name: starter
{product}
---
kind: Api
name: chat
path: chat
type: openai
backend: {{url: "http://127.0.0.1:1/v1"}}
products: [starter]
subscriptionRequired: {str(api_needs_subscription).lower()}
{more}
"""
    documents = parse_documents(text, "test")
    snapshot, faults = Snapshot.build(1, list(documents), SecretBox(()), {}, None)
    assert faults == []
    return snapshot.apis["chat"]


def call(headers: list[tuple[bytes, bytes]] | None = None, query: bytes = b"") -> Call:
    """A request with these headers and nothing else of interest."""
    return Call("POST", "/chat/chat/completions", query, headers or [], RequestBody(never_received, None, False), "id")


async def never_received() -> Any:
    raise AssertionError("nothing reads the body here")


async def passed_on(call: Call) -> Reply:
    return Reply(200, [], b"")


def key_cache(**records: SubscriptionRecord) -> KeyCache:
    from gateway.catalog.keys import digest

    by_digest = {digest(key): value for key, value in records.items()}

    async def find(name: str) -> SubscriptionRecord | None:
        return by_digest.get(name)

    return KeyCache(find)


def subscription(**given: Any) -> SubscriptionRecord:
    fields = {
        "name": "team",
        "display_name": None,
        "scope_name": None,
        "state": "active",
        "start": None,
        "expiration": None,
        "primary_digest": None,
        "secondary_digest": None,
    }
    return SubscriptionRecord(**(fields | given))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_the_rules(case: Case) -> None:
    """Every row of the access rules, with API Management's messages word for word."""
    key = "wrong" if case.subscription == "malformed" else generate()
    known = {key: subscription(**case.subscription)} if isinstance(case.subscription, dict) else {}
    admit = Admit(entry(case.api_needs_subscription, case.product), key_cache(**known), lambda: NOW, False)
    asked = call([(b"ocp-apim-subscription-key", key.encode())] if case.subscription else [])
    if case.expected == IN:
        await admit(asked, passed_on)
        assert asked.caller.product == (asked.caller.product if case.in_context_of else None)
        assert (asked.caller.product.name if asked.caller.product else None) == case.in_context_of
    else:
        with pytest.raises(PolicyError) as refused:
            await admit(asked, passed_on)
        assert (refused.value.status, refused.value.message) == (401, case.expected)


PLACES = [
    b"ocp-apim-subscription-key",
    b"api-key",
    b"x-api-key",
    b"authorization",
    b"x-functions-key",
    "subscription-key",
    "code",
]


@pytest.mark.parametrize("first", range(len(PLACES)))
async def test_the_order_of_the_places(first: int) -> None:
    """With a key in every place from `first` on, the first one counts."""
    headers, queries = [], []
    for number, place in enumerate(PLACES[first:], start=first):
        if isinstance(place, bytes):
            scheme = "Bearer " if place == b"authorization" else ""
            headers.insert(0, (place, f"{scheme}key{number}".encode()))
        else:
            queries.insert(0, f"{place}=key{number}")
    found = KeyPlaces.of(entry(), False).find(headers, "&".join(queries).encode())
    assert found is not None
    assert found.text == f"key{first}"


async def test_the_case_of_names_does_not_matter() -> None:
    """Nor does an escape in them: what is read as a key here is the same that is never forwarded."""
    assert KeyPlaces.of(entry(), False).find([], b"a=1&Subscription-Ke%79=k") == PresentedKey("k", True)
    own = entry(more="subscriptionKeyParameterNames: {header: X-Team-Key, query: Team-Key}")
    assert KeyPlaces.of(own, False).find([], b"team-KEY=k") == PresentedKey("k", True)


def test_a_key_does_not_show_in_a_debugger_or_log() -> None:
    """Whatever prints a presented key prints everything but the key."""
    assert "gw_secret" not in repr(PresentedKey("gw_secret", True))


async def test_configured_names_replace_the_usual_ones() -> None:
    """An API may name its own header and query parameter."""
    places = KeyPlaces.of(entry(more="subscriptionKeyParameterNames: {header: X-Team-Key, query: team-key}"), False)
    by_header = places.find([(b"x-team-key", b"one")], b"")
    by_query = places.find([], b"team-key=two")
    assert by_header is not None
    assert by_query is not None
    assert (by_header.text, by_query.text) == ("one", "two")
    assert places.find([(b"ocp-apim-subscription-key", b"x")], b"subscription-key=x") is None


async def test_the_hosts_keys_are_not_ours() -> None:
    """Where the host asks for its own keys, x-functions-key and code are not subscription keys."""
    assert KeyPlaces.of(entry(), True).find([(b"x-functions-key", b"host")], b"code=host") is None


async def test_other_schemes_are_not_keys() -> None:
    """Only Bearer carries a key in Authorization; an empty header counts as absent."""
    places = KeyPlaces.of(entry(), False)
    assert places.find([(b"authorization", b"Basic dXNlcg==")], b"") is None
    found = places.find([(b"api-key", b""), (b"authorization", b"bearer  k ")], b"")
    assert found is not None
    assert found.text == "k"


async def test_an_open_api_does_not_mind_the_sdks_placeholder() -> None:
    """The OpenAI SDK always sends some key; where none is needed, one that is not ours is no claim. One of ours is."""
    admit = Admit(entry(api_needs_subscription=False), key_cache(), lambda: NOW, False)
    await admit(call([(b"authorization", b"Bearer not-needed")]), passed_on)
    with pytest.raises(PolicyError):
        await admit(call([(b"authorization", f"Bearer {generate()}".encode())]), passed_on)
