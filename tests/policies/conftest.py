"""What the tests of several policies need."""

import asyncio

import pytest

from gateway.llm.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """With its vocabularies loaded."""
    loaded = Tokenizer()
    asyncio.run(loaded.count(["x"], None))
    return loaded
