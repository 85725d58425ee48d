"""Calls a backend once, the way the gateway will, and says what was found."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from gateway.backends.client import BackendClient, BackendResponse
from gateway.backends.credentials import ManagedIdentity
from gateway.backends.target import Target
from gateway.catalog.backend_settings import Timeouts
from gateway.catalog.snapshot import ResolvedBackend
from gateway.errors import GatewayError
from gateway.management.cli.probe_failures import explain_failure

Verdict = Literal["good", "doubtful", "failed"]
# Whether the check sends an access key: there is none, it is sent, or only the deployed gateway can read it.
Key = Literal["none", "sent", "unreadable"]

# Somebody waits at a terminal.
SECONDS = 40.0
PATIENCE = Timeouts.model_validate({"connect": 5.0, "firstByte": 20.0, "betweenChunks": 10.0})
LARGEST_ANSWER_BYTES = 4 * 1024 * 1024
NAMES_SHOWN = 5
HEADERS = [(b"accept", b"application/json"), (b"accept-encoding", b"identity"), (b"user-agent", b"gateway-import")]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. `failed` means that calls cannot work as things are."""

    verdict: Verdict
    text: str
    status: int | None = None
    models: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        found: dict[str, Any] = {"verdict": self.verdict, "text": self.text, "status": self.status}
        if self.models is not None:
            found |= {"modelCount": len(self.models), "models": list(self.models)}
        return found


@dataclass(frozen=True, slots=True)
class Answer:
    """What the backend said, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


REFUSALS: Mapping[Key, Finding] = MappingProxyType(
    {
        "none": Finding("failed", "It asks for an access key, and none was given: 401. Give header and value.", 401),
        "sent": Finding(
            "failed", "It refuses the access key: 401. Check header and value; most need Bearer before the key.", 401
        ),
        "unreadable": Finding("doubtful", "It answers, and asks for the key, which cannot be read here: 401.", 401),
    }
)


async def probe(
    api_type: str, backend: ResolvedBackend, patience: Timeouts = PATIENCE, seconds: float = SECONDS
) -> Finding:
    """Ask an OpenAI API for its models, anything else for its root; it takes `seconds` at most, whatever answers."""
    settings = backend.settings
    key: Key = "sent" if backend.credential_value else "unreadable" if settings.credentials else "none"
    changes = {"timeouts": patience, **({} if key == "sent" else {"credentials": None})}
    target = Target.of(replace(backend, settings=settings.model_copy(update=changes)))
    client = BackendClient(ManagedIdentity(None), max_connections=2)
    try:
        async with asyncio.timeout(seconds):
            return await _judged(api_type, client, target, key, settings.url)
    except TimeoutError:
        return Finding("failed", f"It begins to answer, and has not ended after {seconds:g} s.")
    except GatewayError as error:
        return Finding("failed", explain_failure(error, settings.url))
    finally:
        await client.aclose()


async def _judged(api_type: str, client: BackendClient, target: Target, key: Key, url: str) -> Finding:
    if api_type != "openai":
        return judge_root(await _get(client, target, ""))
    answer = await _get(client, target, "models")
    if answer.status == 404 and models_in((await _get(client, target, "v1/models")).body) is not None:
        return Finding("doubtful", f"The models are below /v1: give {url.rstrip('/')}/v1 as the URL.", 404)
    return judge_models(answer, key)


async def _get(client: BackendClient, target: Target, below: str) -> Answer:
    response = await client.send(target, "GET", target.path(below, b""), list(HEADERS), None, None)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    return Answer(response.status, headers, await _body(response))


async def _body(response: BackendResponse) -> bytes:
    body = bytearray()
    try:
        async for piece in response:
            body += piece
            if len(body) > LARGEST_ANSWER_BYTES:
                break
    finally:
        await response.aclose()
    return bytes(body)


def judge_root(answer: Answer) -> Finding:
    """Of a passthrough backend all that can be asked is whether something answers."""
    if answer.status >= 500:
        return Finding("doubtful", f"It answers, but with an error of its own: {answer.status}.", answer.status)
    return Finding("good", f"It answers: {answer.status} at its root.", answer.status)


def judge_models(answer: Answer, key: Key) -> Finding:
    """What an answer to GET /models tells."""
    status = answer.status
    if status == 200:
        return _judge_list(answer)
    if status == 401:
        return REFUSALS[key]
    if 300 <= status < 400:
        place = answer.headers.get("location", "another address")
        return Finding("failed", f"It redirects, which the gateway does not follow: give {place} as the URL.", status)
    return Finding("doubtful", _doubt(status), status)


def _doubt(status: int) -> str:
    if status == 404:
        return "It answers, but has no list of models: 404. If calls get 404 too, the URL lacks a part, often /v1."
    if status == 403:
        return "It answers, but does not let this key see its models: 403. Calls may work all the same."
    if status >= 500:
        return f"It answers, but with an error of its own: {status}."
    return f"It answers, but does not give a list of models: {status}."


def _judge_list(answer: Answer) -> Finding:
    models = models_in(answer.body)
    if models is None:
        kind = answer.headers.get("content-type", "no content type")
        return Finding("doubtful", f"It answers 200, but with no list of models ({kind}): is this the API's URL?", 200)
    if not models:
        return Finding("good", "It answers: 200, no models yet.", 200, models)
    more = ", …" if len(models) > NAMES_SHOWN else ""
    count = "1 model" if len(models) == 1 else f"{len(models)} models"
    return Finding("good", f"It answers: 200, {count}: {', '.join(models[:NAMES_SHOWN])}{more}.", 200, models)


def models_in(body: bytes) -> tuple[str, ...] | None:
    """The ids in OpenAI's list of models; None if this is no such list."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    items = document.get("data") if isinstance(document, dict) else None
    if not isinstance(items, list):
        return None
    return tuple(item["id"] for item in items if isinstance(item, dict) and isinstance(item.get("id"), str))
