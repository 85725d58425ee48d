"""A call that content safety blocks costs no tokens."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from gateway.backends.client import BackendClient
from gateway.backends.credentials import ManagedIdentity
from gateway.catalog.content_safety import ContentSafety
from gateway.catalog.screenings import ResolvedScreening, Screenings
from gateway.errors import PolicyError
from gateway.llm.tokenizer import Tokenizer
from gateway.pipeline import compile_chain
from gateway.policies.screen import Screen
from gateway.policies.screen_answers import ScreenAnswers
from gateway.safety.screeners import Screeners
from tests.ledger.virtual_time import run
from tests.policies.measured import make_call
from tests.policies.test_limit_leaving import Limited

SETTINGS = {"backend": {"url": "https://safety.test"}, "categories": {"Hate": 4}, "images": "block"}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,bWFzc2FjcmU="}}


async def spent_when_blocked(tokenizer: Tokenizer) -> tuple[int, int]:
    """The tokens and the money that storage has after a call was refused for its picture."""
    limited = Limited(tokenizer, "stop")
    screening = ResolvedScreening(ContentSafety.model_validate(SETTINGS))
    entry = replace(limited._entry, screenings=Screenings(screening))
    chain = compile_chain([Screen(entry, Screeners(BackendClient(ManagedIdentity(None), 1))), ScreenAnswers()])
    call = make_call({"messages": [{"role": "user", "content": [PICTURE]}], "model": "gpt-4o"})
    call.method, call.entry = "POST", entry
    with pytest.raises(PolicyError) as refused:
        await limited._limit(call, partial(chain))
    assert refused.value.code == "content_filter"
    call.end()
    await limited.ledger.aclose()
    return limited.stored("tokens"), limited.stored("usd")


def test_a_blocked_call_is_charged_nothing(tokenizer: Tokenizer) -> None:
    """What was reserved for it is given back."""
    assert run(spent_when_blocked(tokenizer)) == (0, 0)
