"""One stand-in model for a module of tests."""

from collections.abc import Iterator

import pytest

from local.model import ModelServer


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """It answers and streams as OpenAI does."""
    with ModelServer() as running:
        yield running
