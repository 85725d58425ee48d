"""The `openai` SDK, put before a backend of ours."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import httpx2

from gateway.backends.target import Target
from gateway.cache.backend_transport import BackendTransport, Sender

if TYPE_CHECKING:
    from openai import AsyncOpenAI

# The newest of Azure OpenAI that is generally available and has a date; its `/openai/v1` needs none.
AZURE_API_VERSION = "2024-10-21"

# Azure OpenAI may be given by its host, or as APIs need it (docs/catalog.md).
AZURE_PATHS = {b"": "openai/v1/", b"/openai": "v1/"}


def sdk_for(sender: Sender, target: Target) -> AsyncOpenAI:
    """A client whose requests go to the target, with the target's credential and no other.

    The first time this imports the SDK, which takes most of a second: call it in a thread.
    """
    # The SDK would import it in the middle of the first answer.
    import numpy  # noqa: F401
    from openai import AsyncOpenAI

    # It writes a line for every request.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    below, query = _address(target)
    sdk = AsyncOpenAI(
        # Not left to the environment. Neither this nor the host leaves the process.
        api_key="none",
        base_url=f"http://backend/{below}",
        default_query=query,
        max_retries=0,
        http_client=httpx2.AsyncClient(
            transport=BackendTransport(sender, target), trust_env=False, follow_redirects=False
        ),
    )
    # Half of the SDK is imported only when it is touched.
    _ = sdk.embeddings
    return sdk


def _address(target: Target) -> tuple[str, dict[str, object]]:
    """What stands between the backend's URL and `embeddings`, and the query."""
    if b"/openai/deployments/" in target.base_path:
        return "", {"api-version": AZURE_API_VERSION}
    if target.host.partition(b":")[0].endswith(b".azure.com"):
        return AZURE_PATHS.get(target.base_path, ""), {}
    return "", {}
