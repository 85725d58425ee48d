"""The official client of Azure AI Content Safety, over the gateway's own connections. Imported on first use only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from azure.ai.contentsafety.aio import ContentSafetyClient
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import DeserializationError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import HttpRequest

from gateway.llm.json_values import json_in
from gateway.safety.verdict import ScreeningUnavailable

# POSTs a JSON body to an operation, such as "text:analyze"; gives back the body of the 200 that it was answered with.
Post = Callable[[str, bytes], Awaitable[bytes]]


class Analysis:
    """Both operations raise what `post` raises, and ScreeningUnavailable for an answer that makes no sense."""

    def __init__(self, post: Post, api_version: str) -> None:
        # Retries, credentials and logs are the gateway's: no policy of the client's own is wanted, nor an address.
        self._client = ContentSafetyClient(
            "https://content-safety",
            AzureKeyCredential("the backend's is used"),
            api_version=api_version,
            policies=[],
            transport=_Transport(post),
        )

    async def of_text(self, body: dict[str, Any]) -> dict[str, Any]:
        """What the service says of a text."""
        with _readable():
            return (await self._client.analyze_text(body)).as_dict()

    async def of_image(self, body: dict[str, Any]) -> dict[str, Any]:
        """And of an image."""
        with _readable():
            return (await self._client.analyze_image(body)).as_dict()


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except DeserializationError:
        raise ScreeningUnavailable("unreadable") from None


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
    """As much of a response as the client reads."""

    status_code = 200

    def __init__(self, content: bytes) -> None:
        self._content = content

    def json(self) -> dict[str, Any]:
        document = json_in(self._content)
        if not isinstance(document, dict):
            raise ScreeningUnavailable("unreadable")
        return document


def _content(request: HttpRequest) -> bytes:
    content = request.content
    return content.encode() if isinstance(content, str) else bytes(content)
