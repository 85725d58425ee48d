"""Whose answers are screened alike."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.backends.client import BackendClient
from gateway.backends.credentials import ManagedIdentity
from gateway.safety.answers.screening import AnswerScreening
from gateway.safety.screeners import Screeners
from tests.safety.test_screener import screener

ENFORCED = {"enforceOnCompletions": True, "windowSize": 1000, "windowOverlapSize": 100}


@pytest.fixture
async def screeners() -> AsyncIterator[Screeners]:
    client = BackendClient(ManagedIdentity(None), 100)
    made = Screeners(client)
    yield made
    await made.aclose()
    await client.aclose()


def screening(screeners: Screeners, **fields: Any) -> AnswerScreening:
    made = AnswerScreening.of([screener(screeners, "http://127.0.0.1:1", **ENFORCED | fields)], "api")
    assert made is not None
    return made


HANDLING: list[dict[str, Any]] = [
    {"onError": "allow"},
    {"windowSize": 500},
    {"windowOverlapSize": 50},
    {"reveal": "none"},
    {"timeout": 1},
]
JUDGING: list[dict[str, Any]] = [
    {"categories": {"Hate": 2, "Violence": 4}},
    {"outputType": "EightSeverityLevels"},
    {"blocklists": ["brands"]},
]


@pytest.mark.parametrize("fields", HANDLING + JUDGING, ids=str)
async def test_calls_under_way_are_shared_only_by_those_whose_settings_are_the_same(
    screeners: Screeners, fields: dict[str, Any]
) -> None:
    """But what was kept was judged alike, whatever would have followed."""
    usual, other = screening(screeners), screening(screeners, **fields)
    assert usual.sharing == screening(screeners).sharing != other.sharing
    assert (usual.stamp == other.stamp) == (fields in HANDLING)


async def test_who_screens_no_answers_takes_no_part(screeners: Screeners) -> None:
    """Prompts are another matter."""
    assert AnswerScreening.of([screener(screeners, "http://127.0.0.1:1")], "api") is None
