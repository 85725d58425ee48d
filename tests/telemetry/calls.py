"""Calls as they are when they are over, and the catalog they went through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.body import RequestBody
from gateway.call import Call, Caller, Outcome
from gateway.catalog.loading import parse_documents
from gateway.catalog.secrets import SecretBox
from gateway.catalog.snapshot import Snapshot
from gateway.llm.operations import openai_operation, passthrough_operation
from gateway.llm.usage import Usage
from gateway.settings import Settings
from tests.policies.test_admit import never_received

METRICS = "tokenMetrics: {namespace: acme, dimensions: {Team: 'header:x-team', 'Subscription ID': null}}"


def catalog(
    api: str = METRICS,
    product: str = "",
    gateway: str = "",
    url: str = "https://api.openai.com/v1",
    type: str = "openai",
) -> Snapshot:
    """One API, one product, the gateway: each with some lines more."""
    text = f"""
kind: Api
name: models
path: models
type: {type}
backend: {{url: "{url}"}}
products: [starter]
{api}
---
kind: Product
name: starter
state: published
{product}
---
kind: Gateway
{gateway or "name: gateway"}
"""
    snapshot, faults = Snapshot.build(1, parse_documents(text, "test"), SecretBox(()), {}, None)
    assert faults == []
    return snapshot


@dataclass
class Finished:
    """A call that is over, and how."""

    call: Call
    outcome: Outcome


def finished(
    snapshot: Snapshot,
    rest: str = "chat/completions",
    *,
    method: str = "POST",
    model: str | None = "gpt-4o",
    usage: Usage | None = Usage(19, 10, 7, 4),  # noqa: B008 - it is frozen
    headers: dict[str, str] | None = None,
    subscription: str | None = "team-a",
    **outcome: Any,
) -> Finished:
    """A call of the only API of a catalog."""
    entry = snapshot.apis["models"]
    sent = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    call = Call(method, f"/models/{rest}", b"", sent, RequestBody(never_received, None, False), "id")
    call.entry, call.rest, call.model, call.usage = entry, rest, model, usage
    find = openai_operation if entry.api.type == "openai" else passthrough_operation
    call.operation = find(method, rest)
    call.caller = Caller(subscription, snapshot.products["starter"])
    call.first_byte_seconds = 0.03
    return Finished(call, Outcome(**{"status": 200, **outcome}))


def settings(**given: Any) -> Settings:
    """Settings that export often enough to wait for."""
    return Settings(tables="UseDevelopmentStorage=true", **{"metric_export_interval": 20, **given})
