"""The official client over a transport of the gateway's own."""

import json
import subprocess
import sys
from typing import Any

import pytest

from gateway.llm.json_values import json_in
from gateway.safety.scores import Scores, analysis_in
from gateway.safety.sdk import Analysis
from gateway.safety.verdict import ScreeningUnavailable

TEXT = {"text": "Grüße", "outputType": "FourSeverityLevels", "categories": ["Hate"], "blocklistNames": ["brands"]}
IMAGE = {"image": {"content": "AAAA"}, "categories": ["Hate"], "outputType": "FourSeverityLevels"}
ANSWER = {"blocklistsMatch": [], "categoriesAnalysis": [{"category": "Hate", "severity": 2}]}


class Service:
    """Keeps what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Any]] = []

    async def post(self, operation: str, content: bytes) -> bytes:
        self.asked.append((operation, json.loads(content)))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()


async def test_both_operations_send_what_they_are_given() -> None:
    """Nothing is added to it, and nothing lost of the answer."""
    service = Service(ANSWER)
    analysis = Analysis(service.post, "2024-09-01")
    said = await analysis.of_text(TEXT)
    await analysis.of_image(IMAGE)
    assert service.asked == [("text:analyze", TEXT), ("image:analyze", IMAGE)]
    assert analysis_in(json_in(said), ["Hate"], True) == Scores({"Hate": 2})


UNREADABLE: dict[str, Any] = {
    "html": b"<!doctype html>",
    "a list": [],
    "no analysis": {},
    "no list": {"categoriesAnalysis": "x"},
    "no object": {"categoriesAnalysis": [1]},
    "no category": {"categoriesAnalysis": [{"severity": 2}]},
    "another type": {"categoriesAnalysis": [{"category": 1, "severity": "high"}]},
    "no matches": {"categoriesAnalysis": [{"category": "Hate", "severity": 2}], "blocklistsMatch": 5},
}


@pytest.mark.parametrize("answer", UNREADABLE.values(), ids=UNREADABLE)
async def test_an_answer_that_makes_no_sense_is_an_outage(answer: Any) -> None:
    """Never clean, and never a traceback."""
    with pytest.raises(ScreeningUnavailable) as failed:
        analysis_in(json_in(await Analysis(Service(answer).post, "2024-09-01").of_text(TEXT)), ["Hate"], True)
    assert failed.value.reason == "unreadable"


async def test_what_the_gateway_raises_comes_through_the_client() -> None:
    """Its own retries and its own words for failures are what holds."""
    service = Service(ScreeningUnavailable("busy"))
    with pytest.raises(ScreeningUnavailable, match="busy"):
        await Analysis(service.post, "2024-09-01").of_text(TEXT)
    assert len(service.asked) == 1


def test_the_official_client_is_imported_on_first_use() -> None:
    """A worker that screens nothing never pays for it."""
    check = "import function_app, gateway.safety.client, sys; print('azure.ai.contentsafety' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout == "False\n"
