"""admit: may this caller use this API? API Management's rules (its documentation: "Subscriptions", "Products").

With a key: valid, active, started, not expired, in scope -> in. Otherwise, an open product that has the API lets
everybody in and the key is ignored. Otherwise 401. Without a key: an open product, or an API that needs no
subscription -> in. Otherwise 401.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from gateway.call import Call, Caller, Header, Reply
from gateway.catalog.keys import PREFIX
from gateway.errors import PolicyError, UnavailableError
from gateway.policies.key_cache import KeyCache

if TYPE_CHECKING:
    from gateway.catalog.models import Product
    from gateway.catalog.snapshot import ApiEntry
    from gateway.pipeline import Next
    from gateway.services import Clock
    from gateway.storage.subscriptions import SubscriptionRecord

BEARER = "bearer "

# SDKs send one of these whether the user has a key or not.
SDK_HEADERS = frozenset({b"api-key", b"x-api-key", b"authorization"})


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as it came. `deliberate` is False where the SDK may have sent it without being asked to."""

    text: str = field(repr=False)
    deliberate: bool


@dataclass(frozen=True, slots=True)
class KeyPlaces:
    """Where a key may stand, in the order in which the places are searched. Names are in lower case."""

    headers: tuple[bytes, ...] = (
        b"ocp-apim-subscription-key",
        b"api-key",
        b"x-api-key",
        b"authorization",
        b"x-functions-key",
    )
    queries: tuple[str, ...] = ("subscription-key", "code")

    @classmethod
    def of(cls, entry: ApiEntry, function_auth: bool) -> KeyPlaces:
        """The API's own names replace API Management's; the host's, if the host asks for its key, are not ours."""
        names = entry.api.subscription_key_parameter_names
        header = (names.header if names and names.header else "ocp-apim-subscription-key").lower().encode()
        query = (names.query if names and names.query else "subscription-key").lower()
        if function_auth:
            return cls((header, b"api-key", b"x-api-key", b"authorization"), (query,))
        return cls((header, *cls().headers[1:]), (query, "code"))

    def find(self, headers: Sequence[Header], query: bytes) -> PresentedKey | None:
        """The first key there is. A query parameter counts only if no header carries one."""
        return next(self._in_headers(headers), None) or self._in_query(query)

    def _in_headers(self, headers: Sequence[Header]) -> Iterator[PresentedKey]:
        for place in self.headers:
            for name, value in headers:
                text = _key_text(place, value) if name == place else ""
                if text:
                    yield PresentedKey(text, place not in SDK_HEADERS)

    def _in_query(self, query: bytes) -> PresentedKey | None:
        if not query:
            return None
        pairs = [(name.lower(), value) for name, value in parse_qsl(query.decode("latin-1"))]
        texts = (value for place in self.queries for name, value in pairs if name == place)
        return next((PresentedKey(text, True) for text in texts), None)


def _key_text(place: bytes, value: bytes) -> str:
    text = value.decode("latin-1").strip()
    if place != b"authorization":
        return text
    return text[len(BEARER) :].strip() if text.lower().startswith(BEARER) else ""


class Admit:
    """Sets `call.caller`, or refuses with 401."""

    def __init__(self, entry: ApiEntry, keys: KeyCache, clock: Clock, function_auth: bool) -> None:
        self._entry = entry
        self._keys = keys
        self._clock = clock
        self._places = KeyPlaces.of(entry, function_auth)

    async def __call__(self, call: Call, next: Next) -> Reply:
        call.caller = await self._caller(self._places.find(call.headers, call.query))
        return await next(call)

    async def _caller(self, key: PresentedKey | None) -> Caller:
        open_product = self._entry.open_product
        caller = await self._caller_with(key.text) if key else None
        if caller is not None:
            return caller
        if open_product is not None:
            return Caller(product=open_product)
        if not self._entry.api.subscription_required and not _claims(key):
            return Caller()
        raise PolicyError("SubscriptionKeyInvalid" if key else "SubscriptionKeyNotFound")

    async def _caller_with(self, key: str) -> Caller | None:
        try:
            record = await self._keys.find(key)
        except UnavailableError:
            if self._entry.open_product is None:
                raise
            return None
        if record is None or not is_in_force(record, self._clock()):
            return None
        return in_scope(record, self._entry)


def _claims(key: PresentedKey | None) -> bool:
    """True if the caller means this to be one of our keys: put where only such keys go, or shaped like one."""
    return key is not None and (key.deliberate or key.text.startswith(PREFIX))


def is_in_force(record: SubscriptionRecord, now: datetime) -> bool:
    """Active, started, and not yet expired."""
    if record.state != "active":
        return False
    if record.start is not None and now < record.start:
        return False
    return record.expiration is None or now < record.expiration


def in_scope(record: SubscriptionRecord, entry: ApiEntry) -> Caller | None:
    """The caller's context, or None: the subscription is for something else, or for a product not published."""
    if record.scope_kind == "all" or (record.scope_kind == "api" and record.scope_name == entry.api.name):
        return Caller(record.name)
    product = _published(entry.products, record.scope_name) if record.scope_kind == "product" else None
    return Caller(record.name, product) if product else None


def _published(products: Sequence[Product], name: str | None) -> Product | None:
    return next((product for product in products if product.name == name and product.state == "published"), None)
