"""What the stand-in model does wrong on request, seen from the socket."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx2
import pytest

from local.model import ModelServer
from tests.local.model.conversation import CHAT, DONE, STREAM, connect, converse, post, unchunked


@pytest.mark.parametrize(("status", "code"), [(400, "stand_in_failure"), (429, "rate_limit_exceeded"), (503, None)])
def test_status(server: ModelServer, status: int, code: str | None) -> None:
    """Any status comes with an error of the right shape, 429 with the time to wait."""
    answer = post(server, CHAT, status=status)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == (code or "stand_in_failure")
    assert answer.headers.get("retry-after") == ("1" if status == 429 else None)


def test_status_without_a_body(server: ModelServer) -> None:
    """204 has none."""
    answer = post(server, CHAT, status=204)
    assert (answer.status_code, answer.content) == (204, b"")


def test_html_and_redirect(server: ModelServer) -> None:
    """A page instead of an answer, or the way to somewhere else."""
    assert post(server, CHAT, html=1).headers["content-type"].startswith("text/html")
    answer = post(server, CHAT, redirect="http://elsewhere.example/x")
    assert (answer.status_code, answer.headers["location"]) == (302, "http://elsewhere.example/x")


def test_more_headers(server: ModelServer) -> None:
    """Response headers can be added, several of a name, and replaced."""
    more = {"Set-Cookie": ["a=1", "b=2"], "Server": "nginx", "X-Request-Id": "mine"}
    answer = post(server, CHAT, headers=json.dumps(more))
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.headers["server"] == "nginx"
    assert answer.headers.get_list("x-request-id") == ["mine"]


def test_delay_comes_before_the_first_byte(server: ModelServer) -> None:
    """Nothing arrives before the delay is over, then everything."""
    begun = time.monotonic()
    received = converse(server, CHAT, delay=0.2)
    assert time.monotonic() - begun >= 0.2
    assert received.end == "closed"


def test_chunk_delay_lies_between_events(server: ModelServer) -> None:
    """The first event comes at once, each other one later."""
    begun = time.monotonic()
    times = []
    with httpx2.stream(
        "POST", f"{server.url}/chat/completions", json=STREAM, headers={"x-stand-in-chunk-delay": "0.05"}
    ) as answer:
        times = [time.monotonic() - begun for line in answer.iter_lines() if line]
    # A role, four tokens, a reason and [DONE] lie six delays apart.
    assert len(times) == 7
    assert times[-1] - times[0] >= 0.25


def test_reset_before_any_byte(server: ModelServer) -> None:
    """0 bytes: not even a status line."""
    received = converse(server, CHAT, reset_after_bytes=0)
    assert (received.pieces, received.end) == ([], "reset")


@pytest.mark.parametrize("body", [CHAT, STREAM], ids=["plain", "stream"])
@pytest.mark.parametrize("count", [1, 100])
def test_reset_in_the_middle(server: ModelServer, body: Any, count: int) -> None:
    """Exactly so many bytes arrive, then a TCP reset."""
    received = converse(server, body, reset_after_bytes=count)
    delivered = b"".join(unchunked(received.body)) if body is STREAM else received.body
    assert (len(delivered), received.end) == (count, "reset")


def test_reset_at_the_end_of_a_short_body(server: ModelServer) -> None:
    """A stream shorter than the limit is reset where its end would have been."""
    received = converse(server, STREAM, reset_after_bytes=1_000_000)
    assert received.end == "reset"
    assert DONE in received.body
    assert not received.body.endswith(b"0\r\n\r\n")


def test_reset_of_a_long_body_loses_nothing(server: ModelServer) -> None:
    """What was sent before the reset arrives, even if it fills every buffer."""
    received = converse(server, CHAT, words=500_000, reset_after_bytes=2_000_000)
    assert (len(received.body), received.end) == (2_000_000, "reset")


def test_hang_at_the_head(fresh: ModelServer) -> None:
    """No byte comes, and the request stays in flight until its caller leaves."""
    with connect(fresh, CHAT, hang="head") as connection:
        fresh.wait_for(lambda stats: stats["inFlight"] == 1)
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert fresh.wait_for(lambda stats: stats["inFlight"] == 0)["cancelled"] == 1


@pytest.mark.parametrize("body", [CHAT, STREAM], ids=["plain", "stream"])
def test_hang_in_the_body(server: ModelServer, body: Any) -> None:
    """A part comes, the end does not: half of a plain answer, two events of a stream."""
    received = converse(server, body, seconds=0.3, hang="body")
    assert received.end == "waiting"
    if body is STREAM:
        assert b"".join(unchunked(received.body)).count(b"data: ") == 2
    else:
        length = int(b"".join(received.pieces).partition(b"content-length: ")[2].partition(b"\r\n")[0])
        assert len(received.body) == length // 2


def test_split_cuts_events_and_characters(server: ModelServer) -> None:
    """Pieces of one byte, which together are what the stream would have been."""
    chunks = unchunked(converse(server, STREAM, words=8, split_bytes=1).body)
    assert {len(chunk) for chunk in chunks[:-1]} == {1}
    events = b"".join(chunks).decode().split("\n\n")
    texts = [json.loads(event[6:])["choices"][0]["delta"].get("content", "") for event in events[:-2]]
    assert "".join(texts) == "one größer than 日本語 and naïve as ever"


@pytest.mark.parametrize("after", [0, 2])
def test_error_inside_a_stream(server: ModelServer, after: int) -> None:
    """The stream answers 200, and ends with an error instead of [DONE]."""
    answer = post(server, STREAM, stream_error=after)
    events = answer.text.removesuffix("\n\n").split("\n\n")
    assert (answer.status_code, len(events)) == (200, after + 1)
    assert "error" in json.loads(events[-1].removeprefix("data: "))


def test_no_usage_and_no_done(server: ModelServer) -> None:
    """Both can be left out, even where usage was asked for."""
    assert "usage" not in post(server, CHAT, no_usage=1).json()
    answer = post(server, {**STREAM, "stream_options": {"include_usage": True}}, no_usage=1, no_done=1)
    assert "usage" not in answer.text
    assert DONE not in answer.content


@pytest.mark.parametrize(
    ("name", "value"),
    [("delya", "1"), ("delay", "soon"), ("delay", "nan"), ("status", "99"), ("hang", "leg"), ("headers", "[]")],
)
def test_wishes_that_make_no_sense_are_refused(server: ModelServer, name: str, value: str) -> None:
    """A mistaken header answers 400 and names the header, lest a test fail to fail."""
    answer = post(server, CHAT, **{name: value})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == f"x-stand-in-{name}"
