"""A policy that is changed while calls come and leases are out: what callers see from then on."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest

from tests.front_door.system import System, wait_until

API = """
kind: Api
name: {name}
path: {name}
type: openai
backend: model
products: [starter]
{limits}
"""

MESSAGES = [{"role": "user", "content": "Hi"}]
# What a call reserves, by OpenAI's recipe; the stand-in counts words, so that less is charged.
RESERVED = 8


class Changing:
    """An API whose limits are written anew while it is called."""

    def __init__(self, system: System, name: str) -> None:
        self._system = system
        self._name = name

    def apply(self, limits: str, holds: Callable[[httpx2.Response], bool]) -> None:
        """Write the API with these limits; back when an answer of it, which costs no tokens, shows that they hold."""
        self._system.apply(API.format(name=self._name, limits=limits))
        wait_until(lambda: holds(self._models()))

    def _models(self) -> httpx2.Response:
        return httpx2.get(f"{self._system.url}/{self._name}/models", headers=self._headers(), timeout=30)

    def _headers(self) -> dict[str, str]:
        return {"api-key": self._system.keys["team"]}

    def chat(self, **more: object) -> httpx2.Response:
        body = {"model": "stand-in", "messages": MESSAGES, **more}
        url = f"{self._system.url}/{self._name}/chat/completions"
        return httpx2.post(url, headers=self._headers(), json=body, timeout=30)

    def chat_until_refused(self) -> tuple[int, httpx2.Response]:
        """How many tokens were used, and the refusal."""
        used = 0
        while (answer := self.chat()).status_code == 200:
            used += answer.json()["usage"]["total_tokens"]
        return used, answer


def minute(limit: int, version: int, more: str = "") -> str:
    """A limit a minute, and a rate limit that nobody reaches, by which an answer shows the version of the policy."""
    return f"""
tokenLimit: {{counterKey: NAME, tokensPerMinute: {limit}, estimatePromptTokens: true{more}}}
rateLimit: {{counterKey: NAME, calls: {10_000 + version}, renewalPeriod: 300}}
"""


def shows(version: int) -> Callable[[httpx2.Response], bool]:
    return lambda answer: answer.headers.get("x-ratelimit-limit-requests") == str(10_000 + version)


@pytest.fixture
def changing(system: System, request: pytest.FixtureRequest) -> Changing:
    """An API of the test's own."""
    return Changing(system, request.node.name.removeprefix("test_").replace("_", "-"))


def test_raised(changing: Changing) -> None:
    """Who was refused is let through again, and has the difference: what was used stays used."""
    changing.apply(minute(100, 1).replace("NAME", "raised"), shows(1))
    used, refused = changing.chat_until_refused()
    assert refused.headers["x-ratelimit-limit-tokens"] == "100"
    assert 100 - RESERVED < used <= 100
    changing.apply(minute(400, 2).replace("NAME", "raised"), shows(2))
    answer = changing.chat()
    assert answer.status_code == 200
    assert answer.headers["x-ratelimit-limit-tokens"] == "400"
    used += answer.json()["usage"]["total_tokens"]
    assert int(answer.headers["x-ratelimit-remaining-tokens"]) == 400 - used
    more, _ = changing.chat_until_refused()
    assert 400 - RESERVED < used + more <= 400


def test_lowered(changing: Changing) -> None:
    """Who has used more than is allowed now is refused from the next call on, although a lease is at hand."""
    changing.apply(minute(100_000, 1).replace("NAME", "lowered"), shows(1))
    used = 0
    while used < 200:
        answer = changing.chat()
        assert answer.status_code == 200
        used += answer.json()["usage"]["total_tokens"]
    changing.apply(minute(150, 2).replace("NAME", "lowered"), shows(2))
    refused = changing.chat()
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "token_limit_exceeded")
    assert refused.headers["x-ratelimit-limit-tokens"] == "150"
    assert refused.headers["x-ratelimit-remaining-tokens"] == "0"
    # The minute in which it was used has to pass.
    assert 40 <= int(refused.headers["retry-after"]) <= 65


def test_removed_and_written_again(changing: Changing) -> None:
    """Without the limit everything passes, and no header tells of one; the count is what it was before."""
    changing.apply(minute(60, 1).replace("NAME", "removed"), shows(1))
    used, _ = changing.chat_until_refused()
    rate = "rateLimit: {counterKey: removed, calls: 10002, renewalPeriod: 300}"
    changing.apply(rate, shows(2))
    for _ in range(10):
        answer = changing.chat()
        assert answer.status_code == 200
        assert "x-ratelimit-limit-tokens" not in answer.headers
    changing.apply(minute(60, 3).replace("NAME", "removed"), shows(3))
    assert changing.chat().status_code == 429
    changing.apply(minute(1_000, 4).replace("NAME", "removed"), shows(4))
    answer = changing.chat()
    # Not the ten calls that were made while there was no limit.
    used += answer.json()["usage"]["total_tokens"]
    assert answer.headers["x-ratelimit-remaining-tokens"] == str(1_000 - used)


def quota(period: str, version: int) -> str:
    """The same with a quota, of which an answer tells what is left."""
    return f"""
tokenLimit:
  counterKey: period
  tokenQuota: 60
  tokenQuotaPeriod: {period}
  estimatePromptTokens: true
  remainingQuotaTokensHeaderName: x-quota
rateLimit: {{counterKey: period, calls: {10_000 + version}, renewalPeriod: 300}}
"""


def test_another_period(changing: Changing) -> None:
    """It has a count of its own, which begins at 0; the old one is there if the period comes back."""
    changing.apply(quota("Yearly", 1), shows(1))
    _, refused = changing.chat_until_refused()
    assert refused.status_code == 403
    assert int(refused.headers["x-quota"]) < RESERVED
    assert refused.json()["error"]["code"] == "token_quota_exceeded"
    changing.apply(quota("Monthly", 2), shows(2))
    answer = changing.chat()
    assert answer.status_code == 200
    assert int(answer.headers["x-quota"]) == 60 - answer.json()["usage"]["total_tokens"]
    changing.apply(quota("Yearly", 3), shows(3))
    assert changing.chat().status_code == 403


def test_in_mid_stream(changing: Changing, system: System) -> None:
    """A call that was let through under a limit that is gone when it ends is charged like any other."""
    changing.apply(minute(5_000, 1).replace("NAME", "mid-stream"), shows(1))
    url = f"{system.url}/in-mid-stream/chat/completions"
    headers = {"api-key": system.keys["team"], "x-stand-in-words": "60", "x-stand-in-chunk-delay": "0.05"}
    body = {"model": "stand-in", "messages": MESSAGES, "stream": True, "stream_options": {"include_usage": True}}
    with httpx2.stream("POST", url, headers=headers, json=body, timeout=30) as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines()
        next(lines)
        changing.apply(minute(4_000, 2).replace("NAME", "mid-stream"), shows(2))
        text = "\n".join(lines)
    used = int(text.rpartition('"total_tokens":')[2].split("}")[0].split(",")[0])
    assert used > 60

    def is_charged() -> bool:
        nonlocal used
        answer = changing.chat()
        used += answer.json()["usage"]["total_tokens"]
        return answer.headers["x-ratelimit-remaining-tokens"] == str(4_000 - used)

    # The end of a call is settled a moment after its last byte has been sent.
    wait_until(is_charged, 5)
