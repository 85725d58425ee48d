"""A deployed gateway, looked at from outside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2

from gateway.management.doctor.clock import judge_clock
from gateway.management.doctor.finding import Finding

SECONDS = 20.0
LONGEST_BYTES = 64 * 1024
KEPT = ("content-type", "date")
LOG = "`az monitor app-insights query` or the portal's log stream shows its log"
OPEN = "If callers should need a key, set `subscriptionRequired: true` for the API and apply it again."
MENDS = {
    "catalog": f"It is loaded at start, from storage. {LOG}.",
    "storage": "Run `python -m gateway doctor` with its GATEWAY_TABLES; check the identity's role, and the network.",
    "settings": (
        "Set what it names, with `az functionapp config appsettings set`. If that is a Key Vault reference already, "
        "leave it: give the app's identity its role on the vault, and change another setting to have it fetched again."
    ),
}


async def check_outside(
    url: str, path: str | None = None, now: Callable[[], float] = time.time
) -> AsyncIterator[Finding]:
    """Whether it answers, is what it should be, is ready, and refuses a call without a key to the API at `path`.

    `url` is the gateway's own, without an API's path.
    """
    base = url.rstrip("/")
    if not _is_base(base):
        yield Finding("address", "failed", f"{url!r} is no gateway's address.", "Give it as https://HOST.")
        return
    if urlsplit(base).scheme != "https":
        yield Finding("address", "warning", "Keys go over the network unencrypted.", "Use https:// but for tests.")
    try:
        alive = await _get(f"{base}/gateway/health")
        ready = await _get(f"{base}/gateway/ready")
    except (httpx2.HTTPError, TimeoutError) as error:
        said = f"{urlsplit(base).netloc} does not answer: {type(error).__name__}."
        yield Finding("address", "failed", said, "Check the URL, DNS, certificate and that the app is started.")
        return
    if alive.status_code != 200 or _json(alive).get("status") != "ok":
        said = f"What answers at {base}/gateway/health is no gateway: {alive.status_code}."
        mend = (
            "Give the URL without an API's path. If it is right, publish the app: `func azure functionapp publish APP`."
        )
        yield Finding("address", "failed", said, mend)
        return
    yield Finding("address", "ok", "The gateway answers.")
    yield await _check_access(base, path)
    yield judge_clock(alive.headers.get("date", ""), now(), "the gateway")
    checks = _json(ready).get("checks")
    if not isinstance(checks, dict):
        yield Finding(
            "ready", "failed", f"/gateway/ready answers {ready.status_code} and says nothing.", "Publish it anew."
        )
        return
    for name, state in checks.items():
        if state == "ok":
            yield Finding(f"ready: {name}", "ok", "It is well.")
        else:
            yield Finding(f"ready: {name}", "failed", f"{state}.", MENDS.get(str(name), LOG))


async def _check_access(base: str, path: str | None) -> Finding:
    if path is None:
        return Finding("access", "skipped", "No API's path was given (--path), so no call without a key was tried.")
    name = path.strip("/")
    try:
        answer = await _get(f"{base}/{quote(name)}/models")
    except (httpx2.HTTPError, TimeoutError) as error:
        return Finding("access", "failed", f"/{name} does not answer: {type(error).__name__}.", f"{LOG}.")
    if answer.status_code == 401 and "SubscriptionKeyNotFound" in answer.text:
        return Finding("access", "ok", f"A call to /{name} without a key is refused.")
    if answer.status_code == 401:
        said = f"A call to /{name} without a key is refused, by the host or by the backend and not by the gateway."
        return Finding("access", "ok", said)
    if answer.status_code == 404 and "OperationNotFound" in answer.text:
        return Finding("access", "failed", f"There is no API at /{name}.", "`python -m gateway apis list` shows them.")
    said = f"A call to /{name} without a key is not refused for that: {answer.status_code}."
    return Finding("access", "warning", said, OPEN)


def _is_base(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_port = parts.port != 0
    except ValueError:
        return False
    is_plain = not (parts.query or parts.fragment or parts.username)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and has_port and is_plain


async def _get(url: str) -> httpx2.Response:
    """As much of an answer as a gateway's could be, within SECONDS. Raises HTTPError and TimeoutError."""
    async with (
        asyncio.timeout(SECONDS),
        httpx2.AsyncClient(timeout=SECONDS, trust_env=True) as client,
        client.stream("GET", url) as response,
    ):
        content = bytearray()
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > LONGEST_BYTES:
                break
        headers = [(name, value) for name, value in response.headers.items() if name in KEPT]
        return httpx2.Response(response.status_code, headers=headers, content=bytes(content))


def _json(answer: httpx2.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
