"""Asks Azure AI Content Safety, over the gateway's own connections and a backend's credentials.

By the official client, but for the prompt shield, which that does not have.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gateway.backends.client import BackendResponse
from gateway.backends.target import Target
from gateway.cache.backend_transport import Sender
from gateway.cache.rarely import Rarely
from gateway.call import first_value
from gateway.catalog.snapshot import ResolvedBackend
from gateway.errors import GatewayError
from gateway.llm.json_values import json_in
from gateway.safety.scores import Scores, analysis_in, attacks_in
from gateway.safety.verdict import ScreeningUnavailable

if TYPE_CHECKING:
    from gateway.safety.sdk import Analysis

API_VERSION = "2024-09-01"
QUERY = f"api-version={API_VERSION}".encode()
SDK = "gateway.safety.sdk"
LONGEST_ANSWER_BYTES = 1024 * 1024
PAUSE_SECONDS = 0.05
HEADERS = [(b"content-type", b"application/json"), (b"accept", b"application/json"), (b"accept-encoding", b"identity")]

# How a failure of the backend client is called here.
REASONS = {"Timeout": "timeout", "BackendCredentialUnavailable": "unauthorized", "BackendConnectionsExhausted": "busy"}
MAY_PASS = frozenset({"busy", "failed", "refused"})

log = logging.getLogger("gateway.safety")


class _Failed(ScreeningUnavailable):
    """With the seconds after which the service wants to be asked again, if it said."""

    def __init__(self, reason: str, after: float = PAUSE_SECONDS) -> None:
        super().__init__(reason)
        self.after = after


class SafetyClient:
    """One service. All methods raise ScreeningUnavailable; failures that may pass are tried a second time.

    Whoever calls sets the deadline, by `asyncio.timeout`.
    """

    def __init__(self, sender: Sender, backend: ResolvedBackend) -> None:
        self._sender = sender
        self._target = Target.of(backend)
        self._rarely = Rarely(log)
        self._analysis: Analysis | None = None

    async def ready(self) -> None:
        """Have the official client imported, which takes some tenths of a second the first time."""
        if self._analysis is None:
            sdk = await asyncio.to_thread(import_module, SDK)
            self._analysis = sdk.Analysis(self._ask, API_VERSION)

    async def analyze_text(
        self, text: str, categories: Sequence[str], output_type: str, blocklists: Sequence[str]
    ) -> Scores:
        """At most 10,000 code points, not empty."""
        body: dict[str, Any] = {"text": _encodable(text), "outputType": output_type}
        if categories:
            body["categories"] = categories
        if blocklists:
            body["blocklistNames"] = blocklists
        await self.ready()
        assert self._analysis is not None
        return analysis_in(json_in(await self._analysis.of_text(body)), categories, bool(blocklists))

    async def analyze_image(self, image: bytes, categories: Sequence[str]) -> Scores:
        """Severities of images are even ones; there are no others."""
        body = {
            "image": {"content": base64.b64encode(image).decode()},
            "categories": categories,
            "outputType": "FourSeverityLevels",
        }
        await self.ready()
        assert self._analysis is not None
        return analysis_in(json_in(await self._analysis.of_image(body)), categories, False)

    async def shield(self, prompt: str | None, documents: Sequence[str]) -> list[Scores]:
        """The prompt's, if there is one, then each document's."""
        body: dict[str, Any] = {}
        if prompt is not None:
            body["userPrompt"] = _encodable(prompt)
        if documents:
            body["documents"] = [_encodable(document) for document in documents]
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        return attacks_in(json_in(await self._ask("text:shieldPrompt", content)), prompt is not None, len(documents))

    async def _ask(self, operation: str, content: bytes) -> bytes:
        try:
            return await self._once(operation, content)
        except _Failed as failed:
            if failed.reason not in MAY_PASS:
                raise
            await asyncio.sleep(failed.after)
        return await self._once(operation, content)

    async def _once(self, operation: str, content: bytes) -> bytes:
        path = self._target.path(f"contentsafety/{operation}", QUERY)
        try:
            response = await self._sender.send(self._target, "POST", path, list(HEADERS), content, len(content))
            answer = await _whole(response)
        except GatewayError as error:
            raise _Failed(REASONS.get(error.code, "refused")) from error
        if response.status != 200:
            raise self._failure(operation, response)
        return answer

    def _failure(self, operation: str, response: BackendResponse) -> _Failed:
        status = response.status
        if status in (401, 403):
            self._rarely.warn("%s: %s answers %d: look at its credentials", self._target.name, operation, status)
            return _Failed("unauthorized")
        if status == 429:
            return _Failed("busy", _retry_after(response))
        if status >= 500:
            return _Failed("failed")
        self._rarely.warn("%s: %s answers %d", self._target.name, operation, status)
        return _Failed("rejected")


async def _whole(response: BackendResponse) -> bytes:
    body = bytearray()
    try:
        async for piece in response:
            body += piece
            if len(body) > LONGEST_ANSWER_BYTES:
                raise _Failed("unreadable")
    finally:
        await response.aclose()
    return bytes(body)


def _retry_after(response: BackendResponse) -> float:
    value = first_value([(name.lower(), value) for name, value in response.headers], b"retry-after") or b""
    return float(value) if value.isdigit() and len(value) < 6 else PAUSE_SECONDS


def _encodable(text: str) -> str:
    # JSON can carry half a surrogate pair, UTF-8 cannot. Two halves are a letter.
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
