"""What people write: one frozen model for each kind of document, in API Management's words and camelCase.

`docs/catalog.md` describes every field, and a test compares the two. A field that nothing reads must not exist here:
unknown fields are refused, so whoever writes one hears of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from gateway.catalog.backend_settings import BackendChoice, BackendSettings, Timeouts
from gateway.catalog.base import Model
from gateway.catalog.content_safety import Screened
from gateway.catalog.fields import (
    ApiPath,
    ByteCount,
    KeyHeaderName,
    Line,
    Lines,
    Moment,
    Name,
    Names,
    QueryName,
    ScopeText,
    SecretText,
)
from gateway.catalog.limits import Limits, Prices
from gateway.catalog.placeholders import setting_in
from gateway.catalog.semantic_cache import Cached

DEFAULT_MAX_REQUEST_BYTES = 20 * 1024 * 1024

Kind = Literal["Api", "Backend", "Product", "Subscription", "NamedValue", "Gateway"]
SubscriptionState = Literal["submitted", "active", "suspended", "rejected", "cancelled", "expired"]


class Written(Model):
    """What all documents have."""

    kind: ClassVar[Kind]
    name: str

    def to_json(self) -> dict[str, Any]:
        """The document as it is written and exported, `kind` and `name` first."""
        return {"kind": self.kind, "name": self.name, **super().to_json()}


class Named(Written):
    """What all documents but Gateway have."""

    name: Name
    display_name: Line | None = None


class Backend(BackendSettings, Named):
    """A backend as a document of its own, for several APIs to use."""

    kind: ClassVar[Kind] = "Backend"
    description: Lines | None = None


class SubscriptionKeyParameterNames(Model):
    """Where callers of one API put their key, in place of API Management's usual names."""

    header: KeyHeaderName | None = None
    query: QueryName | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.header is None and self.query is None:
            raise ValueError("must have header, query or both")
        return self


class Api(Limits, Cached, Screened, Named):
    """One LLM endpoint, offered to callers below a path of the gateway."""

    kind: ClassVar[Kind] = "Api"
    description: Lines | None = None
    path: ApiPath
    type: Literal["openai", "passthrough"]
    backend: BackendChoice
    products: Names = ()
    subscription_required: bool = True
    subscription_key_parameter_names: SubscriptionKeyParameterNames | None = None
    max_request_bytes: ByteCount | None = None
    prices: Prices = Field(default_factory=dict)


class Product(Limits, Cached, Screened, Named):
    """A set of APIs that callers subscribe to together."""

    kind: ClassVar[Kind] = "Product"
    description: Lines | None = None
    state: Literal["notPublished", "published"] = "notPublished"
    subscription_required: bool = True
    approval_required: bool = False
    terms: Lines | None = None

    @property
    def is_open(self) -> bool:
        """Whether its APIs may be called without a key."""
        return self.state == "published" and not self.subscription_required


class Subscription(Named):
    """Who may call what. Its keys are never in a document."""

    kind: ClassVar[Kind] = "Subscription"
    scope: ScopeText
    state: SubscriptionState = "active"
    start_date: Moment | None = None
    expiration_date: Moment | None = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.start_date and self.expiration_date and self.expiration_date <= self.start_date:
            raise ValueError("expirationDate must be later than startDate")
        return self


class NamedValue(Named):
    """A value that credentials refer to as `{{name}}`."""

    kind: ClassVar[Kind] = "NamedValue"
    secret: bool = True
    value: SecretText | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _is_literal_or_setting(self) -> Self:
        if self.value is not None and "{{" in self.value and setting_in(self.value) is None:
            raise ValueError("value must be the literal value, or exactly {{env:NAME}} for an app setting")
        return self

    @property
    def holds_secret(self) -> bool:
        """Whether `value` must be encrypted before it is stored. The name of an app setting is no secret."""
        return self.secret and self.value is not None and setting_in(self.value) is None


class StoredNamedValue(NamedValue):
    """A NamedValue as the table has it: a secret is only there encrypted. Nobody can write one in a document."""

    encrypted_value: str | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _never_both(self) -> Self:
        if self.holds_secret:
            raise ValueError("a secret must be stored encrypted")
        return self

    def public(self) -> NamedValue:
        """What may be shown: without the secret, encrypted or not."""
        fields = self.to_json()
        fields.pop("encryptedValue", None)
        fields.pop("kind")
        return NamedValue.model_validate(fields)


class Gateway(Limits, Cached, Screened, Written):
    """Settings of the whole gateway. There is one such document at most."""

    kind: ClassVar[Kind] = "Gateway"
    name: Literal["gateway"] = "gateway"
    max_request_bytes: ByteCount = DEFAULT_MAX_REQUEST_BYTES
    prices: Prices = Field(default_factory=dict)
    timeouts: Timeouts = Timeouts()


Document = Api | Backend | Product | Subscription | NamedValue | Gateway

# In this order nothing comes before what it refers to.
MODELS: Mapping[Kind, type[Document]] = MappingProxyType(
    {
        "Gateway": Gateway,
        "NamedValue": NamedValue,
        "Backend": Backend,
        "Product": Product,
        "Api": Api,
        "Subscription": Subscription,
    }
)
