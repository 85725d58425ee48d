"""The app with a managed identity and no key at all: Azurite over HTTPS looks at its tokens as Azure does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme

from local.azurite import Azurite, Certificate, free_port
from local.content_safety import SafetyServer
from tests.front_door.system import CATALOG, REPOSITORY, System, wait_until
from tests.identity import CLIENT_ID, SECRET, IdentityServer, claims_of

STORAGE = "https://storage.azure.com"
WRONG: dict[str, dict[str, Any]] = {
    "audience": {"aud": "https://vault.azure.net"},
    "issuer": {"iss": "https://login.example.com/"},
    "expired": {"exp": 1_700_000_000},
}


@dataclass
class Deployed:
    """A gateway, its identity, and what people's command lines need."""

    system: System
    identity: IdentityServer
    environment: dict[str, str]

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command line with the same settings."""
        asked = [sys.executable, "-m", "gateway", *words]
        return subprocess.run(asked, capture_output=True, text=True, env=self.environment, cwd=REPOSITORY, check=False)


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    """Everything started but the gateway's host. The certificate is of an authority that only these processes trust."""
    authority = trustme.CA()
    chain, key, trusted = tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "trusted.pem"
    leaf = authority.issue_cert("127.0.0.1")
    chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(str(key))
    authority.cert_pem.write_to_path(str(trusted))
    azurite = Azurite(certificate=Certificate(chain, key))
    with IdentityServer() as identity:
        settings = {"GATEWAY_TABLES": azurite.account_url, "SSL_CERT_FILE": str(trusted), **identity.environment}
        system = System(environment=settings, azurite=azurite)
        system.environment.pop("AzureWebJobsStorage", None)
        azurite.start()
        yield Deployed(system, identity, {**os.environ, **system.environment})
        system.stop()


def applied(deployed: Deployed, tmp_path: Path, more: str = "") -> str:
    """Write the catalog by the command line; the key of the subscription `team`."""
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text(CATALOG.format(model_url=deployed.system.model.url, closed_port=free_port()) + more)
    done = deployed.command("apply", "-f", str(catalog))
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    return next(words[2] for words in lines if words[:2] == ["team", "primary"])


def test_an_app_with_nothing_but_its_identity_takes_calls_and_counts_them(deployed: Deployed, tmp_path: Path) -> None:
    """The command line writes the catalog, the worker reads it, and usage comes back, all with tokens for storage."""
    key = applied(deployed, tmp_path)
    deployed.system.start_host()
    body = {"model": "stand-in", "messages": [{"role": "user", "content": "Hello"}]}
    answer = httpx2.post(f"{deployed.system.url}/openai/chat/completions", headers={"api-key": key}, json=body)
    assert answer.status_code == 200
    spent = answer.json()["usage"]["total_tokens"]

    def counted() -> bool:
        return str(spent) in deployed.command("usage", "--by", "subscription", "--json").stdout

    wait_until(counted)
    assert {asked["resource"].rstrip("/") for asked in deployed.identity.asked} == {STORAGE}
    assert {asked["client_id"] for asked in deployed.identity.asked} == {CLIENT_ID}
    assert not any("AccountKey" in value for value in deployed.system.environment.values())


@pytest.mark.parametrize("wrong", WRONG)
def test_a_token_that_is_not_for_this_storage_is_refused(deployed: Deployed, wrong: str) -> None:
    """By storage: calls get 503, and the log says that the identity was refused, without a word of the token."""
    deployed.identity.claims = WRONG[wrong]
    assert_unusable(deployed, "refuses the gateway")


@pytest.mark.parametrize("status", [400, 500])
def test_an_identity_that_gets_no_token_is_named(deployed: Deployed, status: int) -> None:
    """The app has no such identity, or Azure has no answer."""
    deployed.identity.status = status
    assert_unusable(deployed, "identity")


OF_THE_IDENTITY = """---
kind: Api
name: azure
path: azure
type: passthrough
products: [starter]
backend:
  url: "{model}/v1"
  credentials: {{managedIdentity: {{scope: "https://cognitiveservices.azure.com/.default"}}}}
contentSafety:
  backend:
    url: "{safety}"
    credentials: {{managedIdentity: {{scope: "https://cognitiveservices.azure.com/.default"}}}}
  categories: {{Violence: 4}}
"""


def test_models_and_content_safety_are_asked_with_the_identity(deployed: Deployed, tmp_path: Path) -> None:
    """For their own audience, which is not storage's."""
    with SafetyServer() as safety:
        more = OF_THE_IDENTITY.format(model=deployed.system.model.url.removesuffix("/v1"), safety=safety.url)
        key = applied(deployed, tmp_path, more)
        deployed.system.start_host()
        url, headers = f"{deployed.system.url}/azure/echo", {"api-key": key}
        assert httpx2.post(url, headers=headers, json={"prompt": "a massacre"}).status_code == 403
        seen = httpx2.post(url, headers=headers, json={"prompt": "Hello"}).json()["headers"]
        assert safety.texts() == {"a massacre": 1, "Hello": 1}
        token = dict(seen)["authorization"].removeprefix("Bearer ")
        assert claims_of(token)["aud"].rstrip("/") == "https://cognitiveservices.azure.com"
        assert key not in str(seen)


def assert_unusable(deployed: Deployed, word: str) -> None:
    """What callers, probes, the log and the command line say."""
    system = deployed.system
    system._host.start()
    system._host.wait_for_line(lambda line: line.startswith('{"url"'), 30)
    wait_until(lambda: any("the catalog cannot be loaded yet" in line for line in system.lines), 40)
    refused = httpx2.post(f"{system.url}/openai/chat/completions", json={}, timeout=20)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "CatalogUnavailable")
    ready = httpx2.get(f"{system.url}/gateway/ready", timeout=20)
    assert (ready.status_code, ready.json()["checks"]["storage"]) == (503, "unavailable")
    line = next(line for line in system.lines if "the catalog cannot be loaded yet" in line)
    assert word in line
    told = deployed.command("apis", "list")
    assert told.returncode == 3
    everything = "\n".join(system.lines) + told.stdout + told.stderr
    assert SECRET not in everything
    assert "eyJ" not in everything


def test_tokens_are_renewed_before_they_expire(deployed: Deployed, tmp_path: Path) -> None:
    """One that is about to is not used to its end."""
    key = applied(deployed, tmp_path)
    deployed.identity.lifetime = 5
    deployed.system.start_host()
    before = len(deployed.identity.asked)
    wait_until(lambda: _calls(deployed, key) and len(deployed.identity.asked) > before + 1, 30)


def _calls(deployed: Deployed, key: str) -> bool:
    answer = httpx2.get(f"{deployed.system.url}/openai/models", headers={"api-key": key})
    return answer.status_code == 200
