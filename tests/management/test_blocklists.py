"""Blocklists, managed through the official client against the stand-in."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from gateway.catalog.backend_settings import BackendSettings
from gateway.catalog.snapshot import ResolvedBackend
from gateway.errors import CatalogError
from gateway.management.blocklists import connected
from local.azurite import free_port
from local.content_safety import SafetyServer
from tests.backends.test_credentials import IdentityEndpoint


def backend(url: str, key: str | None = "safety-key", kind: str = "header") -> ResolvedBackend:
    credentials = {kind: "Ocp-Apim-Subscription-Key", "value": "{{k}}"} if key else None
    settings = BackendSettings.model_validate({"url": url, "credentials": credentials})
    return ResolvedBackend("safety", settings, key)


async def test_a_list_from_creation_to_deletion(safety: SafetyServer) -> None:
    """Texts are added in as many requests as they need, and found again to be removed."""
    texts = [f"word{number}" for number in range(150)]
    async with connected(backend(safety.url), None) as lists:
        await lists.create("brands", "Names")
        assert len(await lists.add("brands", texts)) == 150
        await lists.create("brands", None)
        assert [(one.name, one.description) for one in await lists.all()] == [("brands", "Names")]
        items = await lists.items("brands")
        assert [item.text for item in items] == texts
        removed = await lists.remove("brands", ["word3", items[4].id, items[3].id])
        assert [item.text for item in removed] == ["word3", "word4"]
        assert len(await lists.items("brands")) == 148
        await lists.delete("brands")
        assert await lists.all() == []


async def test_nothing_is_removed_if_one_text_is_not_there(safety: SafetyServer) -> None:
    """A mistyped text is named."""
    safety.blocklists.put("brands", "Contoso")
    async with connected(backend(safety.url), None) as lists:
        with pytest.raises(CatalogError, match='has no item "Contos"'):
            await lists.remove("brands", ["Contoso", "Contos"])
        assert [item.text for item in await lists.items("brands")] == ["Contoso"]


async def test_what_the_service_refuses_is_told_in_its_words(safety: SafetyServer) -> None:
    """An unknown list, a bad name, and a text that is too long."""
    safety.blocklists.put("brands", "Contoso")
    async with connected(backend(safety.url), None) as lists:
        with pytest.raises(CatalogError, match="answers 404: The blocklist none does not exist"):
            await lists.delete("none")
        with pytest.raises(CatalogError, match="answers 400: The blocklist's name"):
            await lists.create("no spaces", None)
        with pytest.raises(CatalogError, match="answers 400: The field text"):
            await lists.add("brands", ["x" * 129])


@pytest.mark.parametrize("key", ["wrong-key", None])
async def test_a_refused_credential_is_told_without_it(safety: SafetyServer, key: str | None) -> None:
    """It is the backend's that is wrong."""
    async with connected(backend(safety.url, key), None) as lists:
        with pytest.raises(CatalogError, match=re.escape("refuses the credential of this backend (401)")) as failure:
            await lists.all()
        assert "wrong-key" not in str(failure.value)


async def test_a_credential_in_the_query_is_refused_at_once(safety: SafetyServer) -> None:
    """The service does not take one."""
    with pytest.raises(CatalogError, match="does not take"):
        async with connected(backend(safety.url, kind="query"), None):
            pass
    assert safety.stats()["requests"] == 0


async def test_a_proxy_of_the_environment_is_used_only_where_the_backend_says_so(
    safety: SafetyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in calls."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    for name in ("http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    own = backend(safety.url)
    async with connected(own, None) as lists:
        assert await lists.all() == []
    trusting = replace(own, settings=own.settings.model_copy(update={"trust_environment": True}))
    async with connected(trusting, None) as lists:
        with pytest.raises(CatalogError, match="cannot be reached"):
            await lists.all()


async def test_the_managed_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its token is brought; where there is none, that is what is told."""
    scope = "https://cognitiveservices.azure.com/.default"
    with SafetyServer(key="token-1") as service, IdentityEndpoint() as platform:
        monkeypatch.setenv("IDENTITY_ENDPOINT", platform.url)
        monkeypatch.setenv("IDENTITY_HEADER", "the-header")
        credentials = {"managedIdentity": {"scope": scope}}
        settings = BackendSettings.model_validate({"url": service.url, "credentials": credentials})
        async with connected(ResolvedBackend("safety", settings), "client-1") as lists:
            assert await lists.all() == []
        assert [asked["client_id"] for asked in platform.asked] == ["client-1"]
        platform.failing = True
        with pytest.raises(CatalogError, match="no token for it: `az login`"):
            async with connected(ResolvedBackend("safety", settings), None):
                pass
        platform.shutdown()


async def test_services_that_do_not_answer_as_they_should(
    safety: SafetyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not there, one that hangs and is asked once, and one that is something else."""
    async with connected(backend(f"http://127.0.0.1:{free_port()}"), None) as lists:
        with pytest.raises(CatalogError, match="cannot be reached"):
            await lists.all()
    safety.fail(hang=True)
    monkeypatch.setattr("gateway.management.blocklists.SECONDS", 0.3)
    async with connected(backend(safety.url), None) as lists:
        with pytest.raises(CatalogError, match="cannot be reached"):
            await lists.all()
    safety.fail(html=True)
    async with connected(backend(safety.url), None) as lists:
        with pytest.raises(CatalogError, match="cannot be reached, or does not answer like"):
            await lists.all()
