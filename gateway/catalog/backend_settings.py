"""How a backend is reached, as people write it: in a document of its own, or wherever one is used."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from gateway.catalog.base import Model
from gateway.catalog.fields import CredentialText, HeaderName, Line, Name, QueryName, Seconds, SecretText, Url

# pydantic puts these into the path of a finding; `faults.py` takes them out again.
CREDENTIAL_TAGS = MappingProxyType({"header": "<header>", "query": "<query>", "managedIdentity": "<managedIdentity>"})
BACKEND_TAGS = ("<name>", "<settings>")
UNION_TAGS = frozenset({*CREDENTIAL_TAGS.values(), *BACKEND_TAGS})


class Timeouts(Model):
    """Seconds. For a backend, the gateway's own values stand for what is left out."""

    connect: Seconds = 5.0
    first_byte: Seconds = 120.0
    between_chunks: Seconds = 60.0

    def over(self, defaults: Timeouts) -> Timeouts:
        """These values, with those of `defaults` for what was not written here."""
        written = {name: getattr(self, name) for name in self.model_fields_set}
        return defaults.model_copy(update=written)


class HeaderCredentials(Model):
    """A header that the backend asks for."""

    header: HeaderName
    value: CredentialText


class QueryCredentials(Model):
    """A query parameter that the backend asks for."""

    query: QueryName
    value: CredentialText


class ManagedIdentity(Model):
    """The app's managed identity, and what it asks a token for."""

    scope: Annotated[SecretText, Field(max_length=1_000)]
    client_id: Line | None = None


class ManagedIdentityCredentials(Model):
    """A bearer token of the app's managed identity."""

    managed_identity: ManagedIdentity

    @property
    def scope(self) -> str:
        """For example `https://cognitiveservices.azure.com/.default`."""
        return self.managed_identity.scope

    @property
    def client_id(self) -> str | None:
        """Which user-assigned identity; None is the app's default one."""
        return self.managed_identity.client_id


def _credentials_tag(value: Any) -> str | None:
    if isinstance(value, Model):
        value = value.to_json()
    tags = [tag for key, tag in CREDENTIAL_TAGS.items() if isinstance(value, dict) and key in value]
    return tags[0] if len(tags) == 1 else None


Credentials = Annotated[
    Annotated[HeaderCredentials, Tag("<header>")]
    | Annotated[QueryCredentials, Tag("<query>")]
    | Annotated[ManagedIdentityCredentials, Tag("<managedIdentity>")],
    Discriminator(
        _credentials_tag,
        custom_error_type="credentials",
        custom_error_message="must have exactly one of header, query and managedIdentity",
    ),
]


class BackendSettings(Model):
    """How to reach a model's endpoint."""

    url: Url
    credentials: Credentials | None = None
    timeouts: Timeouts = Timeouts()
    http2: bool = False
    proxy: Url | None = None
    trust_environment: bool = False
    verify_tls: bool = True

    @model_validator(mode="after")
    def _http2_needs_tls(self) -> Self:
        if self.http2 and not self.url.lower().startswith("https://"):
            raise ValueError("http2 needs a url with https://, for HTTP/2 is agreed on in the TLS handshake")
        return self


def _backend_tag(value: Any) -> str:
    return "<name>" if isinstance(value, str) else "<settings>"


# Written right there, or the name of a Backend document.
BackendChoice = Annotated[
    Annotated[Name, Tag("<name>")] | Annotated[BackendSettings, Tag("<settings>")], Discriminator(_backend_tag)
]
