"""The gateway as a whole, without its surroundings: finding APIs, management, and calls that end with the process."""

import asyncio
import json
from typing import Any, cast

import pytest
from starlette.requests import Request

from gateway.app import Gateway, build_gateway
from gateway.catalog.loading import parse_documents
from gateway.catalog.secrets import SecretBox
from gateway.catalog.snapshot import Snapshot
from local.azurite import Azurite
from tests.backends.raw_server import Peer, RawServer

CATALOG = """
{{kind: Api, name: root, path: "", type: passthrough, subscriptionRequired: false, backend: {{url: "{url}"}}}}
---
{{kind: Api, name: broken, path: broken, type: passthrough, subscriptionRequired: false, backend: {{url: "{url}"}}}}
"""


def gateway_for(url: str, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """A gateway that serves this catalog and never looks for another."""
    gateway = cast(Gateway, build_gateway({"GATEWAY_TABLES": Azurite().connection_string}))
    snapshot, faults = Snapshot.build(1, parse_documents(CATALOG.format(url=url), "test"), SecretBox(()), {}, None)
    assert not faults
    monkeypatch.setattr(gateway._catalog, "snapshot", snapshot)
    return gateway


async def ask(handler: Any, path: str, receive: Any = None) -> tuple[int, bytes]:
    """Status and body of one GET, made as the functions make it."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def stays() -> Any:
        await asyncio.Future()

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }
    response = await handler(Request(scope, receive or stays))
    await response(scope, receive or stays, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


async def backend(peer: Peer) -> None:
    """Answers everything with its target."""
    target = (await peer.request()).target
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target))


@pytest.mark.parametrize("path", ["/gateway/x", "/Gateway/x", "/%67ateway/x", "/gateway", "/anything"])
async def test_management_never_leads_to_an_api(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the path is written: that function asks for no key of the host, so it must not be a way in."""
    with RawServer(backend) as server:
        gateway = gateway_for(server.url, monkeypatch)
        async with gateway.lifespan():
            status, body = await ask(gateway.manage, path)
            assert (status, json.loads(body)["error"]["code"]) == (404, "OperationNotFound")
            assert (await ask(gateway.manage, "/gateway/health"))[0] == 200
            assert await ask(gateway.handle, "/anything") == (200, b"/anything")


async def test_an_api_that_cannot_be_compiled_takes_no_other_along(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its own calls fail, and are logged; the rest is served."""
    from gateway import app

    real = app.policies

    def policies(entry: Any, services: Any) -> Any:
        if entry.api.name == "broken":
            raise ZeroDivisionError("a bug")
        return real(entry, services)

    monkeypatch.setattr(app, "policies", policies)
    with RawServer(backend) as server:
        gateway = gateway_for(server.url, monkeypatch)
        async with gateway.lifespan():
            assert (await ask(gateway.handle, "/broken/x"))[0] == 500
            assert await ask(gateway.handle, "/x") == (200, b"/x")
    assert "failed inside the gateway" in caplog.text
    (line,) = [json.loads(message) for message in caplog.messages if '"code":"InternalError"' in message]
    assert (line["api"], line["status"]) == ("broken", 500)


async def test_calls_at_work_when_the_process_stops_are_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever waits for its backend at the end of the process leaves its line all the same."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def silent(peer: Peer) -> None:
        await peer.request()
        loop.call_soon_threadsafe(asked.set)
        await asyncio.sleep(30)

    with RawServer(silent) as server:
        gateway = gateway_for(server.url, monkeypatch)
        async with gateway.lifespan():
            call = asyncio.create_task(ask(gateway.handle, "/slow"))
            await asked.wait()
        assert call.cancelled()
    (line,) = [json.loads(message) for message in caplog.messages if '"requestId"' in message]
    assert (line["status"], line["code"], line["aborted"]) == (503, "GatewayStopping", False)
