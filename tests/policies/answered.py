"""A screened call from its admission to the last byte that its caller gets, with a backend of the test's own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from gateway.body import RequestBody
from gateway.call import Call, Header, Outcome, Reply
from gateway.catalog.content_safety import ContentSafety
from gateway.catalog.screenings import ResolvedScreening, Screenings
from gateway.catalog.snapshot import ResolvedBackend
from gateway.errors import GatewayError
from gateway.llm.tokenizer import Tokenizer
from gateway.llm.tokens import Protocol
from gateway.llm.usage import Usage
from gateway.pipeline import Next, compile_chain
from gateway.policies.measure import Measure
from gateway.policies.screen import Screen
from gateway.policies.screen_answers import ScreenAnswers
from gateway.response import GatewayResponse, reply_of
from gateway.safety.screeners import Screeners
from tests.policies.measured import PROMPT
from tests.policies.test_admit import entry, never_received
from tests.test_response import Caller, send

JSON: Sequence[Header] = ((b"content-type", b"application/json"),)
EVENTS: Sequence[Header] = ((b"content-type", b"text/event-stream"),)


class Answering:
    """The innermost policy."""

    def __init__(self) -> None:
        self.body: bytes | AsyncIterator[bytes] = b"{}"
        self.headers: Sequence[Header] = JSON
        self.status = 200
        self.asked = 0

    async def __call__(self, call: Call, next: Next) -> Reply:
        self.asked += 1
        return Reply(self.status, list(self.headers), self.body)


class Answered:
    """A chain with screening of answers. Fields are those of `contentSafety`."""

    def __init__(self, screeners: Screeners, tokenizer: Tokenizer, url: str, **fields: Any) -> None:
        written = {
            "backend": {"url": url},
            "categories": {"Violence": 4},
            "enforceOnCompletions": True,
            "windowSize": 40,
            "windowOverlapSize": 20,
            "reveal": "severity",
            **fields,
        }
        settings = ContentSafety.model_validate(written)
        assert not isinstance(settings.backend, str)
        screening = ResolvedScreening(settings, ResolvedBackend("safety", settings.backend))
        self.entry = replace(entry(), screenings=Screenings(screening))
        self.backend = Answering()
        self.caller = Caller()
        self.outcomes: list[Outcome] = []
        self.usage: Usage | None = None
        self._screeners = screeners
        self._tokenizer = tokenizer

    def call(self, protocol: Protocol | None = Protocol.CHAT, method: str = "POST") -> Call:
        call = Call(method, "/x", b"", [], RequestBody(never_received, None, has_body=False), "id")
        call.protocol, call.model = protocol, "gpt-4o"
        # Nothing in it is to be screened, nor to be hidden.
        call.document = {"messages": []}
        call.content = json.dumps(PROMPT).encode()
        call.on_end(self._note)
        return call

    async def reply(self, call: Call, *between: Any) -> Reply:
        """What comes out of the chain."""
        policies = [
            Screen(self.entry, self._screeners),
            *between,
            ScreenAnswers(),
            Measure(self.entry, self._tokenizer),
            self.backend,
        ]
        return await compile_chain(policies)(call)

    async def run(self, call: Call | None = None, *between: Any, caller: Caller | None = None) -> Caller:
        """The call to its end."""
        call = call or self.call()
        caller = caller or self.caller
        try:
            reply = await self.reply(call, *between)
        except GatewayError as error:
            reply = reply_of(error)
        await send(GatewayResponse(call, reply, comment_seconds=0.6), caller)
        return caller

    def _note(self, call: Call, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.usage = call.usage
