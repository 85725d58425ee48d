"""`doctor`: each fault is found, named, and has something that mends it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest

from gateway.catalog.backend_settings import BackendSettings
from gateway.catalog.snapshot import ResolvedBackend
from gateway.management.cli.probe import probe
from gateway.management.doctor.clock import judge_clock
from gateway.settings import Settings
from gateway.storage.tables import Tables
from local.azurite import free_port
from local.content_safety import SafetyServer
from local.model import ModelServer
from tests.management.cli.command_line import SECRET_KEY, CommandLine
from tests.management.cli.deployed import Deployed
from tests.redis_server import RedisServer

OTHER_KEY = "B" * 43 + "="
API = """
kind: Backend
name: model
url: {model}
---
kind: Api
name: openai
path: openai
type: openai
backend: model
"""
NAMED_VALUE = "kind: NamedValue\nname: model-key\nvalue: sk-very-secret\n"
SAFETY_KEY = "kind: NamedValue\nname: safety-key\nvalue: {}\n---"
SAFE = """contentSafety:
  backend: {{url: "{url}", credentials: {{header: Ocp-Apim-Subscription-Key, value: "{{{{safety-key}}}}"}}}}
  shieldPrompt: true
  categories: {{Hate: 4}}
"""
EMBEDDINGS = "semanticCache: {{embeddings: {{backend: {{url: '{url}'}}, model: text-embedding-3-small}}}}\n"

WRITES = ("create tables", "write", "read", "delete")
Found = dict[str, list[dict[str, Any]]]


@pytest.fixture
def model() -> Iterator[ModelServer]:
    server = ModelServer()
    yield server
    server.close()


def examined(gateway: CommandLine, *options: str, fails: bool = False) -> Found:
    """The findings, by their check."""
    result = gateway("doctor", "--json", *options)
    assert result.exit_code == fails, result.output
    document = json.loads(result.stdout)
    assert (document["failed"] > 0) == fails
    found: Found = {}
    for finding in document["findings"]:
        assert finding["said"].endswith(".")
        assert finding["mend"] or finding["state"] in ("ok", "skipped")
        found.setdefault(finding["check"], []).append(finding)
    return found


def one(found: Found, check: str, state: str) -> dict[str, Any]:
    """The only finding of a check that has this state."""
    (finding,) = [each for each in found[check] if each["state"] == state]
    return finding


def apply(gateway: CommandLine, text: str) -> None:
    result = gateway("apply", "-f", "-", stdin=text)
    assert result.exit_code == 0, result.stderr


def test_a_gateway_that_is_well(gateway: CommandLine, model: ModelServer, safety: SafetyServer) -> None:
    """Everything is looked at, and nothing is left behind."""
    api = API.format(model=model.url) + SAFE.format(url=safety.url) + EMBEDDINGS.format(url=model.url)
    apply(gateway, f"{NAMED_VALUE}---\n{SAFETY_KEY.format('safety-key')}{api}")
    found = examined(gateway)
    assert {each["state"] for each in found["storage"]} == {"ok"}
    assert [each["said"] for each in found["storage"]] == [f"It may {each}." for each in WRITES]
    for check in ("settings", "clock", "secret key", "catalog", "backend", "embeddings", "content safety"):
        assert one(found, check, "ok"), check
    assert one(found, "telemetry", "skipped")
    assert "1536" in found["embeddings"][0]["said"]
    assert not [name for name in asyncio.run(tables_of(gateway)) if name.startswith("gatewaydoctor")]


async def tables_of(gateway: CommandLine) -> list[str]:
    tables = Tables(Settings(tables=gateway.environment["GATEWAY_TABLES"]))
    await tables.client("x")
    assert tables._service is not None
    names = [table.name async for table in tables._service.list_tables()]
    await tables.aclose()
    return names


def test_people_get_lines_with_what_mends_them(gateway: CommandLine) -> None:
    """An empty gateway works, and is told what comes next."""
    result = gateway("doctor")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert "warning  catalog: There is no API that can be called." in lines
    assert lines[lines.index("warning  catalog: There is no API that can be called.") + 1].endswith(
        "-> `python -m gateway import`"
    )
    assert lines[-1] == "Everything that was checked is well."


def test_settings_that_are_missing_or_wrong(unconnected: CommandLine) -> None:
    """Each by its name; what stands in one is not shown."""
    found = examined(unconnected, fails=True)
    assert one(found, "settings", "failed")["said"].startswith("GATEWAY_TABLES: ")
    wrong = unconnected.with_settings(GATEWAY_TABLES="AccountKey=very-private;", GATEWAY_CATALOG_POLL_SECONDS="often")
    result = wrong("doctor")
    assert result.exit_code == 1
    assert "GATEWAY_CATALOG_POLL_SECONDS" in result.output
    assert "very-private" not in result.output


def test_a_name_that_is_nearly_a_settings(gateway: CommandLine) -> None:
    """Nobody reads it, and nobody else would say so."""
    found = examined(gateway.with_settings(GATEWAY_KEY_CACHE_SECOND="30", GATEWAY_URL="https://a", GATEWAY_APP="a"))
    assert "GATEWAY_KEY_CACHE_SECONDS" in one(found, "settings", "warning")["mend"]


# azure-data-tables' own.
@pytest.mark.filterwarnings("ignore:Testing an element's truth value:DeprecationWarning")
def test_storage_that_is_away_or_refuses(gateway: CommandLine) -> None:
    """The rest is skipped, and telemetry is looked at all the same."""
    port = free_port()
    away = gateway.environment["GATEWAY_TABLES"].replace(
        gateway.environment["GATEWAY_TABLES"].split("127.0.0.1:")[1].split("/")[0], str(port)
    )
    refused = gateway.environment["GATEWAY_TABLES"].replace("Eby8vdM02", "AAAAAAAAA")
    for tables in (away, refused):
        found = examined(gateway.with_settings(GATEWAY_TABLES=tables), fails=True)
        assert "Storage Table Data Contributor" in one(found, "storage", "failed")["mend"]
        assert one(found, "catalog", "skipped")
        assert one(found, "telemetry", "skipped")


def test_the_secret_key(gateway: CommandLine) -> None:
    """Missing, unusable, another one, or an older one."""
    without = gateway.with_settings(GATEWAY_SECRET_KEY="")
    assert "secrets cannot be kept" in one(examined(without), "secret key", "warning")["said"]
    apply(gateway, NAMED_VALUE)
    assert "1 named values are encrypted" in one(examined(without, fails=True), "secret key", "failed")["said"]
    other = gateway.with_settings(GATEWAY_SECRET_KEY=OTHER_KEY)
    assert (
        "does not decrypt the named values model-key"
        in one(examined(other, fails=True), "secret key", "failed")["said"]
    )
    both = gateway.with_settings(GATEWAY_SECRET_KEY=f"{OTHER_KEY},{SECRET_KEY}")
    assert "An older key encrypts model-key" in one(examined(both), "secret key", "warning")["said"]
    assert "very-secret" not in gateway("doctor").output


def test_the_catalog(gateway: CommandLine, model: ModelServer) -> None:
    """What cannot be served, and what is allowed and may not be meant."""
    apply(gateway, API.format(model=model.url) + "semanticCache: {mode: exact, varyBy: []}\n")
    assert "varyBy" in one(examined(gateway), "catalog", "warning")["said"]
    key = "kind: NamedValue\nname: key\nvalue: '{{env:MODEL_KEY}}'\n---"
    backend = API.format(model=model.url).replace("---", 'credentials: {header: api-key, value: "{{key}}"}\n---', 1)
    apply(gateway.with_settings(MODEL_KEY="sk"), key + backend)
    found = examined(gateway)
    assert [each["state"] for each in found["catalog"] if each["state"] != "ok"] == ["warning"] * 2
    assert "MODEL_KEY" in found["catalog"][0]["said"] + found["catalog"][1]["said"]


def test_a_backend_that_does_not_answer(gateway: CommandLine) -> None:
    """It is named with its API."""
    apply(gateway, API.format(model=f"http://127.0.0.1:{free_port()}/v1"))
    said = one(examined(gateway, fails=True), "backend", "failed")["said"]
    assert said.startswith("model (API openai): ")


def test_embeddings_that_do_not_come(gateway: CommandLine, model: ModelServer) -> None:
    """A wrong address, and a wrong number of dimensions."""
    api = API.format(model=model.url)
    apply(gateway, api + EMBEDDINGS.format(url=f"http://127.0.0.1:{free_port()}/v1"))
    assert "embeddings-unavailable" in one(examined(gateway, fails=True), "embeddings", "failed")["said"]


@pytest.mark.parametrize(("on_error", "state"), [("block", "failed"), ("allow", "warning")])
def test_content_safety_that_fails(
    gateway: CommandLine, model: ModelServer, safety: SafetyServer, on_error: str, state: str
) -> None:
    """A blocklist that is not there, and a key that is refused: what follows depends on the policy."""
    api = API.format(model=model.url) + SAFE.format(url=safety.url) + f"  onError: {on_error}\n"
    apply(gateway, f"{SAFETY_KEY.format('safety-key')}{api}  blocklists: [missing]\n")
    found = one(examined(gateway, fails=state == "failed"), "content safety", state)
    assert "rejected" in found["said"]
    assert "blocklists list" in found["mend"]
    apply(gateway, SAFETY_KEY.format("wrong-key") + api)
    assert "unauthorized" in one(examined(gateway, fails=state == "failed"), "content safety", state)["said"]


def test_redis(gateway: CommandLine, redis_server: RedisServer) -> None:
    """That answers, and that does not; without its password."""
    assert one(examined(gateway.with_settings(GATEWAY_CACHE=redis_server.url)), "redis", "ok")
    away = gateway.with_settings(GATEWAY_CACHE=f"redis://:very-private@127.0.0.1:{free_port()}")
    assert one(examined(away, fails=True), "redis", "failed")
    assert "very-private" not in away("doctor").output


INSIGHTS = "InstrumentationKey=00000000-0000-4000-8000-000000000000;IngestionEndpoint=https://x.in.example/"


@pytest.mark.parametrize(("text", "state"), [(INSIGHTS, "ok"), ("IngestionEndpoint=https://x.in.example/", "failed")])
def test_telemetry(gateway: CommandLine, text: str, state: str) -> None:
    """By the shape of the connection string, which is not repeated."""
    told = gateway.with_settings(APPLICATIONINSIGHTS_CONNECTION_STRING=text)
    assert one(examined(told, fails=state == "failed"), "telemetry", state)
    assert "x.in.example" not in told("doctor").output


@pytest.mark.parametrize(("skew", "state"), [(0, "ok"), (-4, "ok"), (40, "warning"), (-4_000, "warning")])
def test_clocks(skew: float, state: str) -> None:
    """Some seconds are the network's; minutes are not."""
    finding = judge_clock(formatdate(1_000_000_000, usegmt=True), 1_000_000_000 + skew, "storage")
    assert finding.state == state
    assert judge_clock("no date", 0, "storage").state == "skipped"


@pytest.fixture
def deployed() -> Iterator[Deployed]:
    running = Deployed()
    yield running
    running.close()


def test_a_deployed_gateway(unconnected: CommandLine, deployed: Deployed) -> None:
    """No settings are needed to look at one; that it is not https is remarked on."""
    found = examined(unconnected, "--url", deployed.url)
    assert one(found, "address", "ok")
    assert "unencrypted" in one(found, "address", "warning")["said"]
    assert one(found, "clock", "ok")
    assert one(found, "ready: storage", "ok")


def test_a_deployed_gateway_that_is_not_ready(unconnected: CommandLine, deployed: Deployed) -> None:
    """Each check that is not well, with what to do."""
    checks = {"catalog": "loading", "storage": "unavailable"}
    deployed.answers["/gateway/ready"] = (503, {"status": "not ready", "checks": checks})
    found = examined(unconnected, "--url", deployed.url, fails=True)
    assert one(found, "ready: catalog", "failed")["said"] == "loading."
    assert "GATEWAY_TABLES" in one(found, "ready: storage", "failed")["mend"]


@pytest.mark.parametrize("answer", [(404, {}), (200, b"<!doctype html>"), (401, b""), (200, [])], ids=str)
def test_something_else_answers(unconnected: CommandLine, deployed: Deployed, answer: tuple[int, Any]) -> None:
    """It is no gateway, whatever it says."""
    deployed.answers["/gateway/health"] = answer
    said = one(examined(unconnected, "--url", deployed.url, fails=True), "address", "failed")["said"]
    assert "is no gateway" in said


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "https://127.0.0.1:{listening}"])
def test_nobody_answers(unconnected: CommandLine, url: str) -> None:
    """No connection, no TLS."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        given = url.format(port=free_port(), listening=server.getsockname()[1])
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        said = one(examined(unconnected, "--url", given, fails=True), "address", "failed")["said"]
        if "listening" not in url:
            with socket.create_connection(server.getsockname()):
                pass
    assert "does not answer" in said


REFUSED = (401, {"error": {"code": "SubscriptionKeyNotFound"}})
NO_API = (404, {"error": {"code": "OperationNotFound"}})


@pytest.mark.parametrize(
    "url", ["no url", "ftp://127.0.0.1", "http://", "127.0.0.1:7071", "http://127.0.0.1:99999", "http://a/?x=1"]
)
def test_what_is_no_address(unconnected: CommandLine, url: str) -> None:
    """It is said how one looks."""
    assert "https://HOST" in one(examined(unconnected, "--url", url, fails=True), "address", "failed")["mend"]


def test_an_empty_address_is_none(unconnected: CommandLine) -> None:
    """A variable that is not set must not turn to other tables."""
    result = unconnected("doctor", "--url", "")
    assert (result.exit_code, "--url is empty" in result.output) == (2, True)


class Dripping(socketserver.StreamRequestHandler):
    """Answers a byte at a time, and never ends."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                self.wfile.write(b" ")
                time.sleep(0.02)


@pytest.fixture
def dripping() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dripping) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_an_answer_without_end_ends(unconnected: CommandLine, dripping: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no answer."""
    monkeypatch.setattr("gateway.management.doctor.outside.SECONDS", 0.3)
    said = one(examined(unconnected, "--url", dripping, fails=True), "address", "failed")["said"]
    assert "does not answer: TimeoutError" in said


async def test_a_backend_whose_answer_has_no_end_is_named(dripping: str) -> None:
    """Whoever looks waits for so long and no longer."""
    settings = BackendSettings.model_validate({"url": dripping})
    found = await probe("openai", ResolvedBackend("model", settings), seconds=0.3)
    assert (found.verdict, found.text) == ("failed", "It begins to answer, and has not ended after 0.3 s.")


def test_a_reference_that_azure_has_not_resolved_is_not_to_be_replaced(gateway: CommandLine) -> None:
    """A new key in its place would make all that is encrypted unreadable."""
    reference = "@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/gateway-secret-key)"
    found = one(examined(gateway.with_settings(GATEWAY_SECRET_KEY=reference), fails=True), "settings", "failed")
    assert "Do not replace it" in found["said"]
    assert "GATEWAY_REFERENCES_FETCHED" in found["mend"]
    assert "vault.azure.net" not in found["said"] + found["mend"]


def test_an_identity_that_only_the_app_has(gateway: CommandLine, model: ModelServer, safety: SafetyServer) -> None:
    """That nobody is signed in here says nothing of the app."""
    identity = '{managedIdentity: {scope: "https://cognitiveservices.azure.com/.default"}}'
    written = f'contentSafety: {{backend: {{url: "{safety.url}", credentials: {identity}}}, categories: {{Hate: 4}}}}\n'
    apply(gateway, API.format(model=model.url) + written)
    found = one(examined(gateway), "content safety", "warning")
    assert "for whoever is signed in here" in found["said"]
    assert "az login" in found["mend"]


@pytest.mark.parametrize(
    ("answer", "state"), [(REFUSED, "ok"), (NO_API, "failed"), ((200, {}), "warning"), ((401, {}), "ok")]
)
def test_a_call_without_a_key(
    unconnected: CommandLine, deployed: Deployed, answer: tuple[int, Any], state: str
) -> None:
    """It is refused, whether by the gateway or by what stands before it or behind it."""
    deployed.answers["/openai/models"] = answer
    found = examined(unconnected, "--url", deployed.url, "--path", "/openai", fails=state == "failed")
    one(found, "access", state)


def test_a_path_needs_a_gateway(unconnected: CommandLine) -> None:
    """There is nothing to call otherwise."""
    assert unconnected("doctor", "--path", "openai").exit_code == 2


def test_wrong_settings_leave_the_rest_unknown(unconnected: CommandLine) -> None:
    """And that is said, for nothing else has been looked at."""
    found = examined(unconnected, fails=True)
    for check in ("storage", "secret key", "catalog", "backends", "embeddings", "content safety", "telemetry"):
        one(found, check, "skipped")
