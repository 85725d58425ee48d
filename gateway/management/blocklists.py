"""Blocklists of Azure AI Content Safety, through its official client and with a Backend's credential."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.backends.credentials import ManagedIdentity
from gateway.catalog.backend_settings import HeaderCredentials, ManagedIdentityCredentials, QueryCredentials
from gateway.errors import CatalogError, Fault, GatewayError

if TYPE_CHECKING:
    from azure.ai.contentsafety.aio import BlocklistClient
    from azure.core.exceptions import HttpResponseError

    from gateway.catalog.snapshot import ResolvedBackend

# The service takes so many items in one request.
ITEMS_AT_ONCE = 100
NOBODY = "no token for it: `az login`, as somebody with the role Cognitive Services User there"
SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ListState:
    """One blocklist."""

    name: str
    description: str | None


@dataclass(frozen=True, slots=True)
class Item:
    """One text of a blocklist; the service gave it its id."""

    id: str
    text: str


class Blocklists:
    """The blocklists of one service. Every operation raises CatalogError with what the service says against it."""

    def __init__(self, client: BlocklistClient, backend: str) -> None:
        self._client = client
        self._backend = backend

    async def all(self) -> list[ListState]:
        """By name."""
        with _told(self._backend):
            found = [
                ListState(one.blocklist_name, one.description) async for one in self._client.list_text_blocklists()
            ]
        return sorted(found, key=lambda one: one.name)

    async def items(self, name: str) -> list[Item]:
        """What a list holds, in the service's order."""
        with _told(self._backend):
            texts = self._client.list_text_blocklist_items(name)
            return [Item(one.blocklist_item_id, one.text) async for one in texts]

    async def create(self, name: str, description: str | None) -> None:
        """Make a list; one that is there already keeps its items and takes the description."""
        body: dict[str, Any] = {"blocklistName": name}
        if description is not None:
            body["description"] = description
        with _told(self._backend):
            await self._client.create_or_update_text_blocklist(name, body)

    async def add(self, name: str, texts: Sequence[str]) -> list[Item]:
        """Put texts on a list; those on it already stay once."""
        added = []
        with _told(self._backend):
            for start in range(0, len(texts), ITEMS_AT_ONCE):
                body = {"blocklistItems": [{"text": text} for text in texts[start : start + ITEMS_AT_ONCE]]}
                result = await self._client.add_or_update_blocklist_items(name, body)
                added += [Item(one.blocklist_item_id, one.text) for one in result.blocklist_items]
        return added

    async def remove(self, name: str, texts: Sequence[str]) -> list[Item]:
        """Take texts, or items by their ids, off a list; nothing is taken if one of them is not on it."""
        items = await self.items(name)
        known = {key: item for item in items for key in (item.text, item.id)}
        missing = [text for text in texts if text not in known]
        if missing:
            raise CatalogError([Fault(f"blocklist {name}", f'has no item "{text}"') for text in missing])
        removed = list({known[text].id: known[text] for text in texts}.values())
        with _told(self._backend):
            for start in range(0, len(removed), ITEMS_AT_ONCE):
                body = {"blocklistItemIds": [item.id for item in removed[start : start + ITEMS_AT_ONCE]]}
                await self._client.remove_blocklist_items(name, body)
        return removed

    async def delete(self, name: str) -> None:
        """Delete a list with its items; one that does not exist is refused."""
        with _told(self._backend):
            # Azure answers 204 for a list that never was; a mistyped name should be told.
            await self._client.get_text_blocklist(name)
            await self._client.delete_text_blocklist(name)


@asynccontextmanager
async def connected(backend: ResolvedBackend, client_id: str | None) -> AsyncIterator[Blocklists]:
    """The blocklists of the service behind a Backend; CatalogError if its credential cannot be used for them."""
    from azure.ai.contentsafety.aio import BlocklistClient
    from azure.core.credentials import AzureKeyCredential
    from azure.core.pipeline.policies import SansIOHTTPPolicy

    header, value = await _credential(backend, client_id)
    settings = backend.settings
    options: dict[str, Any] = {"proxies": dict.fromkeys(("http", "https"), settings.proxy)} if settings.proxy else {}
    client = BlocklistClient(
        settings.url.rstrip("/"),
        # It insists on one; the backend's own goes into the headers, whichever it is.
        AzureKeyCredential("unused"),
        authentication_policy=SansIOHTTPPolicy(),
        headers={header: value} if header else {},
        retry_total=1,
        # Who has not answered once would have somebody at a terminal wait twice as long.
        retry_read=0,
        connection_timeout=SECONDS,
        read_timeout=SECONDS,
        connection_verify=settings.verify_tls,
        use_env_settings=settings.trust_environment,
        **options,
    )
    async with client:
        yield Blocklists(client, backend.name)


async def _credential(backend: ResolvedBackend, client_id: str | None) -> tuple[str, str]:
    credentials = backend.settings.credentials
    if isinstance(credentials, HeaderCredentials):
        return credentials.header, backend.credential_value or ""
    if isinstance(credentials, ManagedIdentityCredentials):
        tokens = ManagedIdentity.of_operator(client_id)
        try:
            return "Authorization", f"Bearer {await tokens.token(credentials.scope, credentials.client_id)}"
        except GatewayError as error:
            raise _fault(backend.name, NOBODY) from error
        finally:
            await tokens.aclose()
    if isinstance(credentials, QueryCredentials):
        raise _fault(backend.name, "has a credential in the query, which Azure AI Content Safety does not take")
    return "", ""


@contextmanager
def _told(backend: str) -> Iterator[None]:
    """What the service or the way to it has against an operation, as a CatalogError."""
    from azure.core.exceptions import AzureError, HttpResponseError

    try:
        yield
    except HttpResponseError as error:
        raise _fault(backend, _reason(error)) from error
    # The client reads answers without a look at what they are: a page or other JSON fails in these ways.
    except (AzureError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise _fault(backend, "cannot be reached, or does not answer like Azure AI Content Safety") from error


def _reason(error: HttpResponseError) -> str:
    if error.status_code in (401, 403):
        return f"refuses the credential of this backend ({error.status_code})"
    said = f": {error.error.message}" if error.error is not None and error.error.message else ""
    return f"answers {error.status_code}{said}"


def _fault(backend: str, reason: str) -> CatalogError:
    return CatalogError([Fault(f"backend {backend}", reason)])
