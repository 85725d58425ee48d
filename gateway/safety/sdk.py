"""The official client of Azure AI Content Safety, over the gateway's own connections. Imported on first use only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import urlsplit

from azure.ai.contentsafety.aio import ContentSafetyClient
from azure.core.credentials import AzureKeyCredential
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import HttpRequest

# POSTs a JSON body to an operation, such as "text:analyze"; gives back the body of the 200 that it was answered with.
Post = Callable[[str, bytes], Awaitable[bytes]]


class Analysis:
    """Both operations give back what `post` does, and raise what it raises."""

    def __init__(self, post: Post, api_version: str) -> None:
        # Retries, credentials and logs are the gateway's: no policy of the client's own is wanted, nor an address.
        self._client = ContentSafetyClient(
            "https://content-safety",
            AzureKeyCredential("the backend's is used"),
            api_version=api_version,
            policies=[],
            transport=_Transport(post),
        )

    # `stream` leaves the answer as it came: the client's models of it would take two thirds of its time.
    async def of_text(self, body: dict[str, Any]) -> bytes:
        """What the service says of a text."""
        return cast(bytes, await self._client.analyze_text(body, stream=True))

    async def of_image(self, body: dict[str, Any]) -> bytes:
        """And of an image."""
        return cast(bytes, await self._client.analyze_image(body, stream=True))


class _Transport(AsyncHttpTransport[HttpRequest, Any]):
    def __init__(self, post: Post) -> None:
        self._post = post

    async def send(self, request: HttpRequest, **kwargs: Any) -> _Answer:
        operation = urlsplit(request.url).path.rpartition("/")[2]
        return _Answer(await self._post(operation, _content(request)))

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        pass


class _Answer:
    """As much of a response as the client looks at."""

    status_code = 200

    def __init__(self, content: bytes) -> None:
        self._content = content

    def iter_bytes(self) -> bytes:
        """Handed on by the client, unread."""
        return self._content


def _content(request: HttpRequest) -> bytes:
    content = request.content
    return content.encode() if isinstance(content, str) else bytes(content)
