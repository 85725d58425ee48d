"""What can be made to go wrong with the stand-in, and what it counts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import httpx2
import pytest

from local.content_safety import SafetyServer
from local.processes import REPOSITORY

TEXT = {"text": "hi"}


@pytest.mark.parametrize(
    ("fault", "status", "retry_after"),
    [
        ({"status": 429}, 429, "1"),
        ({"status": 429, "retry_after": 3}, 429, "3"),
        ({"status": 500}, 500, None),
    ],
)
def test_a_fault_happens_as_often_as_planned(
    rest: httpx2.Client, safety: SafetyServer, fault: dict[str, Any], status: int, retry_after: str | None
) -> None:
    """Then all goes well again."""
    safety.fail(times=2, **fault)
    answers = [rest.post("/text:analyze", json=TEXT) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert answers[0].headers.get("Retry-After") == retry_after


def test_a_fault_of_one_operation_leaves_the_others_alone(rest: httpx2.Client, safety: SafetyServer) -> None:
    """Until it is cleared."""
    safety.fail(operation="text:shieldPrompt", times=None, status=503)
    assert rest.post("/text:analyze", json=TEXT).status_code == 200
    assert [rest.post("/text:shieldPrompt", json={"userPrompt": "hi"}).status_code for _ in range(2)] == [503, 503]


def test_other_answers_than_the_api_has(rest: httpx2.Client, safety: SafetyServer) -> None:
    """A page, and JSON of choice."""
    safety.fail(html=True)
    safety.fail(answer={"categoriesAnalysis": []})
    assert rest.post("/text:analyze", json=TEXT).headers["content-type"].startswith("text/html")
    assert rest.post("/text:analyze", json=TEXT).json() == {"categoriesAnalysis": []}


def test_a_connection_can_be_reset_or_hang(rest: httpx2.Client, safety: SafetyServer) -> None:
    """Nothing is answered either way."""
    safety.fail(reset=True)
    safety.fail(hang=True)
    with pytest.raises(httpx2.NetworkError):
        rest.post("/text:analyze", json=TEXT)
    with pytest.raises(httpx2.ReadTimeout):
        rest.post("/text:analyze", json=TEXT, timeout=0.1)
    assert safety.wait_for(lambda stats: stats["cancelled"] == 1)["inFlight"] == 0


def test_requests_are_held_until_released(rest: httpx2.Client, safety: SafetyServer) -> None:
    """And are counted while they wait."""
    safety.hold()
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(rest.post("/text:analyze", json=TEXT).status_code))
    asking.start()
    safety.wait_for(lambda stats: stats["byOperation"] == {"text:analyze": 1})
    assert not answers
    safety.release()
    asking.join()
    assert answers == [200]


def test_the_service_takes_its_time(rest: httpx2.Client, safety: SafetyServer) -> None:
    """As long as it was told."""
    safety.set_delay(0.05)
    began = time.monotonic()
    rest.post("/text:analyze", json=TEXT)
    assert time.monotonic() - began >= 0.05


def test_texts_are_counted(rest: httpx2.Client, safety: SafetyServer) -> None:
    """Analysed ones, and those looked at for attacks."""
    for text in ("a", "b", "a"):
        rest.post("/text:analyze", json={"text": text})
    rest.post("/text:shieldPrompt", json={"userPrompt": "p", "documents": ["d", "e"]})
    assert safety.texts() == {"a": 2, "b": 1}
    assert safety.shielded() == {"p": 1, "d": 1, "e": 1}


def test_faults_are_planned_over_http_too(rest: httpx2.Client, safety: SafetyServer) -> None:
    """The control routes ask for no key."""
    assert httpx2.post(f"{safety.root}/stand-in/faults", json=[{"status": 500}]).status_code == 204
    assert httpx2.post(f"{safety.root}/stand-in/faults", json={"statuss": 500}).status_code == 400
    assert rest.post("/text:analyze", json=TEXT).status_code == 500
    assert httpx2.get(f"{safety.root}/stand-in/stats").json()["byOperation"] == {"text:analyze": 1}
    assert httpx2.post(f"{safety.root}/stand-in/reset").json()["requests"] == 0


def test_it_runs_by_itself() -> None:
    """`python -m local.content_safety` says where, and stops when told."""
    command = [sys.executable, "-m", "local.content_safety", "--port", "0", "--key", "k"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            ready = json.loads(running.stdout.readline())
            url = f"{ready['url']}/contentsafety/text:analyze?api-version=2024-09-01"
            answer = httpx2.post(url, headers={"Ocp-Apim-Subscription-Key": "k"}, json=TEXT)
            assert answer.status_code == 200
        finally:
            os.kill(running.pid, signal.SIGINT)
        assert running.wait(10) == 0
