"""Limits as callers meet them: the official client, real storage, nothing but the catalog changed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from openai import OpenAI, PermissionDeniedError, RateLimitError

from tests.front_door.system import System, wait_until

LIMITED = """
kind: Api
name: {name}
path: {name}
type: openai
backend: model
prices: {{stand-in: {{input: 1000, output: 1000}}}}
{limits}
---
kind: Subscription
name: {name}-team
scope: /apis/{name}
"""

HELLO = [{"role": "user", "content": "Say hello to the whole world"}]


class Limited:
    """One API with limits of its own, and a client with a key for it."""

    def __init__(self, system: System, name: str, limits: str) -> None:
        system.apply(LIMITED.format(name=name, limits=limits))
        self._system = system
        self.url = f"{system.url}/{name}"
        self.key = system.keys[f"{name}-team"]
        self.client = OpenAI(base_url=self.url, api_key=self.key, max_retries=0)
        self._wait()

    def _wait(self) -> None:
        wait_until(lambda: self.get("models").status_code == 200)

    def get(self, path: str) -> httpx2.Response:
        return httpx2.get(f"{self.url}/{path}", headers={"api-key": self.key}, timeout=30)

    def chat(self, wishes: dict[str, str] | None = None, **more: object) -> httpx2.Response:
        """A chat completion as plain HTTP, with headers to look at. `wishes` are for the stand-in model."""
        body = {"model": "stand-in", "messages": HELLO, **more}
        headers = {"api-key": self.key, **(wishes or {})}
        return httpx2.post(f"{self.url}/chat/completions", headers=headers, json=body, timeout=30)


@pytest.fixture
def limited(system: System, request: pytest.FixtureRequest) -> Iterator[Limited]:
    """The API that the test asks for: its name and its limits."""
    name, limits = request.param
    made = Limited(system, name, limits)
    yield made
    made.client.close()


def with_limits(name: str, limits: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("limited", [(name, limits)], indirect=True, ids=[name])


@with_limits("tpm", "tokenLimit: {counterKey: subscription, tokensPerMinute: 60, estimatePromptTokens: true}")
def test_tokens_a_minute(limited: Limited) -> None:
    """The SDK gets a RateLimitError that says when to come back, in API Management's words."""
    with pytest.raises(RateLimitError) as refused:
        for _ in range(20):
            limited.client.chat.completions.create(model="stand-in", messages=HELLO)
    seconds = int(refused.value.response.headers["retry-after"])
    assert 50 <= seconds <= 63
    assert refused.value.code == "token_limit_exceeded"
    assert f"Token limit is exceeded. Try again in {_words(seconds)}." in str(refused.value)
    assert refused.value.response.headers["x-ratelimit-limit-tokens"] == "60"
    assert int(refused.value.response.headers["x-ratelimit-remaining-tokens"]) >= 0


def _words(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    if not minutes:
        return f"{rest} seconds"
    return "1 minute" + (f" and {rest} second{'s' if rest > 1 else ''}" if rest else "")


@with_limits("tiny", "tokenLimit: {counterKey: subscription, tokensPerMinute: 5, estimatePromptTokens: true}")
def test_a_prompt_larger_than_the_whole_limit(limited: Limited) -> None:
    """429 that names no time, because no time would help."""
    refused = limited.chat()
    assert refused.status_code == 429
    assert "retry-after" not in refused.headers
    assert "can never pass" in refused.json()["error"]["message"]
    assert refused.headers["x-ratelimit-limit-tokens"] == "5"
    # An SDK that tries again by itself does not do so in vain.
    assert refused.headers["x-should-retry"] == "false"
    started = time.monotonic()
    with OpenAI(base_url=limited.url, api_key=limited.key, max_retries=5) as patient, pytest.raises(RateLimitError):
        patient.chat.completions.create(model="stand-in", messages=HELLO)
    # Five times again would take seconds.
    assert time.monotonic() - started < 2


@with_limits(
    "tiny-quota",
    "tokenLimit: {counterKey: subscription, tokenQuota: 5, tokenQuotaPeriod: Daily, estimatePromptTokens: true}",
)
def test_a_prompt_larger_than_the_whole_quota(limited: Limited) -> None:
    """As with a limit a minute: 429, for waiting is as vain as asking for what is left."""
    refused = limited.chat()
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "token_limit_exceeded")
    assert "more than the whole quota of 5, so it can never pass" in refused.json()["error"]["message"]
    assert "retry-after" not in refused.headers


@with_limits(
    "quota",
    "tokenLimit: {counterKey: subscription, tokenQuota: 40, tokenQuotaPeriod: Yearly, estimatePromptTokens: true}",
)
def test_a_quota(limited: Limited) -> None:
    """403 with a code of its own, so that nobody takes it for a bad key, and a time far away."""
    with pytest.raises(PermissionDeniedError) as refused:
        for _ in range(20):
            limited.client.chat.completions.create(model="stand-in", messages=HELLO)
    assert refused.value.code == "token_quota_exceeded"
    assert "Token quota is exceeded. Try again in" in str(refused.value)
    assert int(refused.value.response.headers["retry-after"]) >= 1


@with_limits("calls", "rateLimit: {counterKey: subscription, calls: 3, renewalPeriod: 4}")
def test_retry_after_is_right_to_the_second(limited: Limited) -> None:
    """Two seconds too early is refused; at the time it is let through."""
    time.sleep(5.5)
    answers = [limited.chat() for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refused_at, seconds = time.monotonic(), int(answers[-1].headers["retry-after"])
    assert "Rate limit is exceeded." in answers[-1].json()["message"]
    time.sleep(max(0.0, refused_at + seconds - 2 - time.monotonic()))
    assert limited.chat().status_code == 429
    time.sleep(max(0.0, refused_at + seconds - time.monotonic()))
    assert limited.chat().status_code == 200


@with_limits(
    "headers",
    "rateLimit: {counterKey: subscription, calls: 300}\ntokenLimit: {counterKey: subscription, "
    "tokensPerMinute: 5000, tokenQuota: 100000, tokenQuotaPeriod: Monthly, estimatePromptTokens: true, "
    "remainingTokensHeaderName: x-remaining-tokens, tokensConsumedHeaderName: x-consumed-tokens, "
    "remainingQuotaTokensHeaderName: x-remaining-quota}",
)
def test_what_every_answer_carries(limited: Limited) -> None:
    """OpenAI's headers and the policy's own, to the token, after the answer's real usage has been settled."""
    answer = limited.chat()
    used = answer.json()["usage"]["total_tokens"]
    headers = answer.headers
    assert headers["x-ratelimit-limit-tokens"] == "5000"
    assert headers["x-ratelimit-remaining-tokens"] == str(5000 - used) == headers["x-remaining-tokens"]
    assert headers["x-remaining-quota"] == str(100_000 - used)
    assert headers["x-consumed-tokens"] == str(used)
    assert headers["x-ratelimit-limit-requests"] == "300"
    assert int(headers["x-ratelimit-remaining-requests"]) < 300
    assert headers["x-ratelimit-reset-tokens"] == "1m0s" or headers["x-ratelimit-reset-tokens"].endswith("s")
    missing = limited.get("nothing")
    assert missing.status_code == 404


@with_limits(
    "everywhere",
    "rateLimit: {counterKey: subscription, calls: 300}\ntokenLimit: [{counterKey: subscription, tokensPerMinute: 5000, "
    "estimatePromptTokens: true, reserve: prompt+max_tokens, tokensConsumedHeaderName: x-consumed}]",
)
def test_answers_that_the_limits_do_not_count_carry_them_too(limited: Limited) -> None:
    """What only looks, what is refused before the limits are asked, and what they cannot reserve for."""
    used = limited.chat(max_tokens=50).json()["usage"]["total_tokens"]
    url, key = f"{limited.url}/chat/completions", {"api-key": limited.key}
    answers = {
        200: limited.get("models"),
        400: limited.chat(),
        404: limited.get("nothing"),
        405: limited.get("chat/completions"),
        415: httpx2.post(url, headers={**key, "content-type": "text/plain"}, content=b"hello", timeout=30),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        assert answer.headers["x-ratelimit-limit-tokens"] == "5000"
        assert answer.headers["x-ratelimit-remaining-tokens"] == str(5000 - used)
        assert answer.headers["x-ratelimit-reset-tokens"].endswith("s")
        assert int(answer.headers["x-ratelimit-remaining-requests"]) < 300
        assert answer.headers["x-consumed"] == "0"
    assert "x-ratelimit-limit-tokens" not in httpx2.get(f"{limited.url}/models", timeout=30).headers


@with_limits(
    "silent",
    "tokenLimit: {counterKey: subscription, tokensPerMinute: 5000, estimatePromptTokens: true, "
    "tokensConsumedHeaderName: x-consumed}",
)
def test_a_whole_answer_without_usage_is_charged_before_its_head(limited: Limited) -> None:
    """Its text is at hand, so it is counted; when the call is over no more has been charged."""
    answer = limited.chat({"x-stand-in-no-usage": "1", "x-stand-in-words": "40"})
    left, consumed = int(answer.headers["x-ratelimit-remaining-tokens"]), int(answer.headers["x-consumed"])
    assert consumed > 40
    assert left == 5000 - consumed
    assert limited.get("models").headers["x-ratelimit-remaining-tokens"] == str(left)


@with_limits(
    "strict",
    "tokenLimit: {counterKey: subscription, tokensPerMinute: 100, estimatePromptTokens: true, "
    "reserve: prompt+max_tokens}",
)
def test_reserving_the_completion_too(limited: Limited) -> None:
    """Without a word on how much may be generated nothing can be reserved; with it, too much is refused at once."""
    unsaid = limited.chat()
    assert (unsaid.status_code, unsaid.json()["error"]["code"]) == (400, "max_tokens_required")
    for unusable in (-1, 0, 1.5, True, "5", 10**18):
        wrong = limited.chat(max_tokens=unusable)
        error = wrong.json()["error"]
        assert (wrong.status_code, error["code"], error["param"]) == (400, "max_tokens_invalid", "max_tokens")
        assert error["message"].startswith("max_tokens must be a whole number from 1 to 100,000,000")
    assert limited.chat(max_tokens=500).status_code == 429
    assert limited.chat(max_tokens=20).status_code == 200


@with_limits("failing", "tokenLimit: {counterKey: subscription, tokensPerMinute: 100, estimatePromptTokens: true}")
def test_a_failed_call_costs_nothing(limited: Limited) -> None:
    """However often the backend fails, the limit is as it was."""
    for _ in range(12):
        failed = limited.chat({"x-stand-in-status": "500"})
        assert failed.status_code == 500
    assert failed.headers["x-ratelimit-remaining-tokens"] == "100"
    hung = limited.chat({"x-stand-in-hang": "head"})
    assert hung.status_code == 504
    assert hung.headers["x-ratelimit-remaining-tokens"] == "100"
    assert limited.chat().status_code == 200


MONEY = "budget: {{counterKey: subscription, usd: 0.1, period: Yearly, onExceeded: {}}}"


def events_of(answer: httpx2.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


@with_limits("money", MONEY.format("stop"))
def test_a_budget_ends_a_stream(limited: Limited) -> None:
    """At a thousand dollars a million tokens the money is gone in mid-stream, which ends as a chat completion can."""
    answer = limited.chat({"x-stand-in-words": "400"}, stream=True)
    assert answer.status_code == 200
    *chunks, last, error = events_of(answer)
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "length"}]
    assert last["id"] == chunks[0]["id"]
    assert error["error"]["code"] == "budget_exceeded"
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert 40 < len(text.split()) < 100
    refused = limited.chat()
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "budget_exceeded")
    assert "Budget is exceeded. Try again in" in refused.json()["message"]


@with_limits("lenient", MONEY.format("finish"))
def test_a_budget_may_let_a_stream_end(limited: Limited) -> None:
    """The answer comes whole, what it cost is charged, and the next call is refused."""
    answer = limited.chat({"x-stand-in-words": "400"}, stream=True)
    assert events_of(answer)[-1]["choices"][0]["finish_reason"] == "stop"
    assert limited.chat().status_code == 403


@with_limits("unpriced", "budget: {counterKey: subscription, usd: 5, period: Daily}")
def test_a_model_without_a_price(limited: Limited) -> None:
    """A budget does not let through what it cannot price."""
    refused = limited.chat(model="another")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "model_not_priced")
    assert "The model another has no price here" in refused.json()["message"]


@with_limits("listing", "tokenLimit: {counterKey: subscription, tokensPerMinute: 20, estimatePromptTokens: true}")
def test_looking_costs_no_tokens(limited: Limited) -> None:
    """The list of models is there however many tokens are left."""
    while limited.chat().status_code == 200:
        pass
    assert limited.get("models").status_code == 200


@with_limits("unreserved", "tokenLimit: {counterKey: subscription, tokensPerMinute: 30, estimatePromptTokens: false}")
def test_without_estimates_the_usage_counts(limited: Limited) -> None:
    """The first answer may exceed the limit; what it did exceed is debited, and the next call is refused."""
    first = limited.chat({"x-stand-in-words": "60"})
    assert first.status_code == 200
    assert first.headers["x-ratelimit-remaining-tokens"] == "0"
    assert limited.chat().status_code == 429


@with_limits(
    "headered",
    "tokenLimit: {counterKey: 'subscription+header:x-team', tokensPerMinute: 40, estimatePromptTokens: true}",
)
def test_counter_keys_keep_callers_apart(limited: Limited) -> None:
    """One team's use is none of the other's."""
    while limited.chat({"x-team": "blue"}).status_code == 200:
        pass
    assert limited.chat({"x-team": "green"}).status_code == 200
