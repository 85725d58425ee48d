"""Who asks Table Storage, where the setting is the URL of an account."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from gateway.errors import StorageUnavailable
from gateway.settings import Settings
from gateway.storage.connection import connect
from gateway.storage.tables import Tables

URL = "https://account.example"


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `az` of our own, the only program there is beside the shell's; it answers once `answer.json` is written."""
    program = tmp_path / "az"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nread line < {tmp_path}/answer.json && echo "$line"\n'
    )
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


async def test_whoever_is_signed_in_with_az_asks(az: Path) -> None:
    """A token for storage, from `az account get-access-token`."""
    answer = {"accessToken": "token-of-a-person", "expires_on": int(time.time()) + 3600, "tokenType": "Bearer"}
    (az / "answer.json").write_text(json.dumps(answer) + "\n")
    service, identity = connect(URL, None, signed_in=True)
    assert identity is not None
    async with service, identity:
        token = await identity.get_token("https://storage.azure.com/.default")
    assert token.token == "token-of-a-person"
    assert "account get-access-token" in (az / "asked").read_text()
    assert "https://storage.azure.com" in (az / "asked").read_text()


async def test_nobody_is_signed_in(az: Path) -> None:
    """Then the message says how to sign in, and does not speak of managed identities."""
    tables = Tables(Settings(tables=URL), signed_in=True)
    with pytest.raises(StorageUnavailable, match=r"sign in with `az login` or `azd auth login`$"):
        await tables.table("gatewaycatalog").get("p", "r")
    await tables.aclose()


async def test_a_managed_identity_that_is_named_goes_first(az: Path) -> None:
    """AZURE_CLIENT_ID says who asks; az is not."""
    from azure.identity.aio import ManagedIdentityCredential

    tables = Tables(Settings(tables=URL, azure_client_id="client-1"), signed_in=True)
    await tables.client("gatewaycatalog")
    assert isinstance(tables._identity, ManagedIdentityCredential)
    await tables.aclose()
    assert not (az / "asked").exists()


async def test_the_app_never_asks_az(az: Path) -> None:
    """Only commands may act for whoever is signed in."""
    from azure.identity.aio import ManagedIdentityCredential

    service, identity = connect(URL, None)
    assert isinstance(identity, ManagedIdentityCredential)
    await service.close()
    await identity.close()
