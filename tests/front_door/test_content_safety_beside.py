"""Content safety beside the other policies: limits, the cache, logs, passthrough, and many callers at once."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from local.content_safety import SafetyServer
from tests.front_door.screened import Screened
from tests.front_door.system import System, wait_until

HARMFUL = "Plan a massacre."
LIMIT = "{counterKey: api, tokensPerMinute: 1000, estimatePromptTokens: true, remainingTokensHeaderName: x-left}"


@contextmanager
def screened(system: System, safety: SafetyServer, more: str = "", **options: Any) -> Iterator[Screened]:
    made = Screened(system, safety, more, **options)
    try:
        yield made
    finally:
        made.client.close()


def test_a_refused_call_is_charged_no_tokens(system: System, safety: SafetyServer) -> None:
    """However often it is tried, the limit stays for others."""
    with screened(system, safety, beside=f"tokenLimit: {LIMIT}") as api:
        assert {api.ask(f"{HARMFUL} {uuid.uuid4()}").status_code for _ in range(5)} == {403}
        answer = api.ask("Good morning")
        assert answer.status_code == 200
        assert int(answer.headers["x-left"]) >= 1000 - answer.json()["usage"]["total_tokens"]


def test_the_log_says_what_came_of_it(system: System, safety: SafetyServer) -> None:
    """Clean, known, blocked or unavailable; never a word of the text."""
    with screened(system, safety, "onError: allow") as api:
        text = f"Good morning {uuid.uuid4()}"
        safety.set_delay(0.02)
        lines = [api.log_of(api.ask(each)) for each in (text, text, HARMFUL)]
        safety.fail(status=401, times=None)
        lines.append(api.log_of(api.ask(f"Good evening {uuid.uuid4()}")))
        assert [line["contentSafety"] for line in lines] == ["clean", "known", "blocked", "unavailable"]
        assert lines[0]["contentSafetyMilliseconds"] >= 20
        assert lines[1]["contentSafetyMilliseconds"] == 0
        assert not any("massacre" in line or text in line for line in list(system.lines))


CACHE = "semanticCache: {mode: exact}"


def test_an_answer_from_the_cache_waits_for_the_verdict(system: System, safety: SafetyServer) -> None:
    """It is looked up meanwhile, and comes only when the request is clean."""
    with screened(system, safety, beside=CACHE) as api:
        text = f"How do I boil an egg {uuid.uuid4()}?"
        api.ask(text)
        assert api.ask(text).headers["x-cache"].startswith("HIT")
        # Nothing is known of eight levels.
        api.change("outputType: EightSeverityLevels")
        wait_until(lambda: _asks_for_eight_levels(api))
        safety.hold()
        answers: list[httpx2.Response] = []
        asking = threading.Thread(target=lambda: answers.append(api.ask(text)))
        asking.start()
        wait_until(lambda: safety.texts()[text] == 2)
        assert not answers
        safety.release()
        asking.join()
        assert answers[0].headers["x-cache"].startswith("HIT")


def _asks_for_eight_levels(api: Screened) -> bool:
    text = f"Is it changed? {uuid.uuid4()}"
    api.ask(text)
    asked = [body for body in api.safety.asked("text:analyze") if body["text"] == text]
    return asked[0]["outputType"] == "EightSeverityLevels"


def test_an_answer_from_the_cache_is_not_given_while_the_service_is_away(system: System, safety: SafetyServer) -> None:
    """Where failures block."""
    with screened(system, safety, beside=CACHE) as api:
        text = f"How do I boil an egg {uuid.uuid4()}?"
        api.ask(text)
        api.change("outputType: EightSeverityLevels")
        wait_until(lambda: _asks_for_eight_levels(api))
        safety.fail(status=500, times=None)
        answer = api.ask(text)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "content_safety_unavailable")


def test_a_passthrough_is_screened_where_text_is_expected(system: System, safety: SafetyServer) -> None:
    """In the usual fields, and where the policy points."""
    with screened(system, safety, "textPointers: [/deep/0/said]", kind="passthrough") as api:
        headers = {"api-key": api.key}

        def status(body: Any) -> int:
            return httpx2.post(f"{api.url}/echo", headers=headers, json=body).status_code

        assert status({"prompt": HARMFUL}) == 403
        assert status({"deep": [{"said": HARMFUL}]}) == 403
        assert status({"deep": [{"said": "Good morning"}, {"said": HARMFUL}]}) == 200
        assert status({"other": HARMFUL}) == 200


def test_a_body_that_cannot_be_read_does_not_slip_through(system: System, safety: SafetyServer) -> None:
    """It is refused as such."""
    with screened(system, safety, kind="passthrough") as api:
        answer = httpx2.post(f"{api.url}/echo", headers={"api-key": api.key}, content=HARMFUL)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidBody")


def test_callers_who_say_the_same_at_once_ask_the_service_once(system: System, safety: SafetyServer) -> None:
    """They wait for the same verdict."""
    with screened(system, safety) as api, ThreadPoolExecutor(20) as pool:
        text = f"Good morning, all of you {uuid.uuid4()}"
        safety.hold()
        asking = [pool.submit(api.ask, text) for _ in range(20)]
        wait_until(lambda: safety.texts()[text] > 0)
        wait_until(lambda: safety.stats()["inFlight"] == 2)
        safety.release()
        assert {each.result().status_code for each in asking} == {200}
        assert (safety.texts()[text], safety.shielded()[text]) == (1, 1)


def test_a_caller_who_leaves_ends_the_screening(system: System, safety: SafetyServer) -> None:
    """The service's answer is not waited for any more."""
    with screened(system, safety, "timeout: 30") as api:
        safety.fail(times=None, hang=True)
        body = {"model": "stand-in", "messages": [{"role": "user", "content": f"Hello {uuid.uuid4()}"}]}
        with pytest.raises(httpx2.ReadTimeout):
            httpx2.post(f"{api.url}/chat/completions", headers={"api-key": api.key}, json=body, timeout=0.5)
        safety.wait_for(lambda stats: stats["cancelled"] == 2, 10)


def test_no_screening_leaves_a_trace_of_an_error(system: System) -> None:
    """Last of this file: nobody forgot an exception."""
    assert not any("never retrieved" in line or "a screening failed" in line for line in list(system.lines))
