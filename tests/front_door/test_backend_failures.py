"""What callers get when the backend fails, and that the backend is told when callers leave."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.backends.raw_server import Peer, RawServer
from tests.front_door.system import System, wait_until
from tests.front_door.test_bad_input import BODY, CHAT, assert_error, head

STREAM = BODY | {"stream": True}
LONG = {"x-stand-in-words": "300"}


def post(http: httpx2.Client, body: dict[str, Any] = BODY, path: str = CHAT, **faults: str) -> httpx2.Response:
    """A chat call with the stand-in model told how to fail."""
    return http.post(
        path, json=body, headers={f"x-stand-in-{name.replace('_', '-')}": text for name, text in faults.items()}
    )


def test_refused_connection(http: httpx2.Client, system: System) -> None:
    """502, without the backend's address."""
    headers = {"api-key": system.keys["everything"]}
    assert_error(http.post("/refused/chat/completions", json=BODY, headers=headers), 502, "BackendConnectionFailure")


def test_reset_before_the_first_byte(http: httpx2.Client) -> None:
    """502, and nobody tries again on the caller's account."""
    assert_error(post(http, reset_after_bytes="0"), 502, "BackendConnectionFailure")


def test_hang_before_the_first_byte(http: httpx2.Client) -> None:
    """504 after the backend's firstByte time, 2 s in this catalog."""
    started = time.monotonic()
    assert_error(post(http, hang="head"), 504, "Timeout")
    assert 1.9 <= time.monotonic() - started < 10


def test_reset_in_the_middle_of_a_stream(http: httpx2.Client) -> None:
    """What came is delivered, then one error event; the stream ends properly."""
    answer = http.post(CHAT, json=STREAM, headers=LONG | {"x-stand-in-reset-after-bytes": "3000"})
    events = [event for event in answer.text.split("\n\n") if event]
    assert answer.status_code == 200
    assert len(events) > 2
    assert '"code":"BackendStreamInterrupted"' in events[-1]
    assert events[-1].startswith("data: {")


def test_hang_in_the_middle_of_a_stream(http: httpx2.Client) -> None:
    """After the betweenChunks time of 2 s an error event ends the stream; until then comments keep it alive."""
    answer = http.post(CHAT, json=STREAM, headers=LONG | {"x-stand-in-hang": "body"})
    assert ": keep-alive\n\n" in answer.text
    assert '"code":"Timeout"' in answer.text


def test_reset_in_the_middle_of_a_whole_answer(http: httpx2.Client) -> None:
    """An answer that is no event stream is cut, so that it cannot be taken for whole."""
    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
        http.post(CHAT, json=BODY, headers=LONG | {"x-stand-in-reset-after-bytes": "300"})


def test_a_web_page_for_an_answer(http: httpx2.Client) -> None:
    """HTML with 200 is a wrongly set URL, not an answer."""
    assert_error(post(http, html="1"), 502, "BackendInvalidResponse")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 422, 429, 500, 503])
def test_the_backends_own_errors_pass(http: httpx2.Client, system: System, status: int) -> None:
    """Status and body are the backend's, and it was asked once."""
    before = system.model.stats()["requests"]
    answer = post(http, status=str(status))
    assert answer.status_code == status
    assert "statusCode" not in answer.json()
    assert system.model.stats()["requests"] == before + 1


def test_an_error_inside_a_stream_passes_and_is_logged(http: httpx2.Client, system: System) -> None:
    """The event goes to the caller as it is; the log has a code although the status was 200."""
    headers = LONG | {"x-stand-in-stream-error": "2", "x-request-id": "stream-error"}
    answer = http.post(CHAT, json=STREAM, headers=headers)
    assert '{"error":' in answer.text.replace(": {", ":{").replace('"error": ', '"error":')
    line = system.log_of("stream-error")
    assert (line["status"], line["code"], line["stream"]) == (200, "BackendStreamError", True)


def test_stream_bytes_are_untouched(http: httpx2.Client) -> None:
    """Whatever the pieces the backend sends, the bytes are the same."""

    def stable(text: str) -> list[str]:
        return [part.partition('"choices"')[2] for part in text.split("\n\n")]

    whole = http.post(CHAT, json=STREAM, headers=LONG)
    split = http.post(CHAT, json=STREAM, headers=LONG | {"x-stand-in-split-bytes": "7"})
    assert stable(split.text) == stable(whole.text)
    assert split.text.endswith("data: [DONE]\n\n")


def test_events_arrive_as_they_are_sent(http: httpx2.Client) -> None:
    """The first event is here long before the last is sent."""
    headers = {"x-stand-in-words": "20", "x-stand-in-chunk-delay": "0.1"}
    with http.stream("POST", CHAT, json=STREAM, headers=headers) as answer:
        times = [time.monotonic() for piece in answer.iter_raw() if piece]
    assert times[-1] - times[0] > 1.0
    assert len(times) >= 15


def test_a_caller_who_leaves_a_stream_stops_the_backend(system: System) -> None:
    """The backend's request is cancelled within a second."""
    leave_during(
        system,
        STREAM,
        {"x-stand-in-words": "500", "x-stand-in-chunk-delay": "0.05"},
        read_first=True,
        request_id="left-stream",
    )


def test_a_caller_who_leaves_before_the_answer_stops_the_backend(system: System) -> None:
    """The same while the backend has not said anything."""
    leave_during(system, BODY, {"x-stand-in-delay": "1.9"}, read_first=False, request_id="left-early")


def leave_during(
    system: System, body: dict[str, Any], headers: dict[str, str], read_first: bool, request_id: str
) -> None:
    """Begin a call, leave it, and watch the backend notice."""
    content = json.dumps(body).encode()
    fields = [f"{name}: {value}" for name, value in headers.items()]
    cancelled = system.model.stats()["cancelled"]
    with socket.create_connection(("127.0.0.1", system.port), timeout=10) as connection:
        connection.sendall(
            head(
                "POST",
                CHAT,
                system.keys["team"],
                "Content-Type: application/json",
                f"Content-Length: {len(content)}",
                f"x-request-id: {request_id}",
                *fields,
            )
            + content
        )
        if read_first:
            assert b"data:" in connection.recv(65_536) + connection.recv(65_536)
        else:
            wait_until(lambda: system.model.stats()["inFlight"] > 0)
    left = time.monotonic()
    wait_until(lambda: system.model.stats()["cancelled"] > cancelled)
    assert time.monotonic() - left < 1.0
    assert system.log_of(request_id)["code"] == "CallerDisconnected"


def test_a_slow_reader_does_not_slow_others(http: httpx2.Client, system: System) -> None:
    """A caller that takes a byte a second has its own pace; the others keep theirs."""
    content = b'{"model":"stand-in","stream":true,"messages":[{"role":"user","content":"x"}]}'
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        slow.connect(("127.0.0.1", system.port))
        slow.sendall(
            head(
                "POST",
                CHAT,
                system.keys["team"],
                "Content-Type: application/json",
                f"Content-Length: {len(content)}",
                "x-stand-in-words: 20000",
            )
            + content
        )
        assert slow.recv(1)
        took = []
        for _ in range(20):
            started = time.monotonic()
            assert http.post(CHAT, json=BODY).status_code == 200
            took.append(time.monotonic() - started)
            slow.recv(1)
    assert sorted(took)[10] < 0.5


def test_a_thousand_callers_at_once(system: System) -> None:
    """Every one is answered."""
    import asyncio

    async def run() -> list[int]:
        limits = httpx2.Limits(max_connections=1000)
        async with httpx2.AsyncClient(base_url=system.url, limits=limits, timeout=120) as client:

            async def one() -> int:
                answer = await client.post(
                    CHAT, json=BODY, headers={"api-key": system.keys["team"], "x-stand-in-delay": "0.5"}
                )
                return answer.status_code

            return await asyncio.gather(*[one() for _ in range(1000)])

    system_timeouts_allow = set(asyncio.run(run()))
    assert system_timeouts_allow == {200}


ODD: dict[str, tuple[bytes, int, str | None]] = {
    "a status that HTTP does not have": (
        b"HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n",
        502,
        "BackendInvalidResponse",
    ),
    "no HTTP": (b"hello\r\n\r\n", 502, "BackendConnectionFailure"),
    "a control character in a header": (
        b"HTTP/1.1 200 OK\r\nX-A: a\x01b\r\nContent-Length: 0\r\n\r\n",
        502,
        "BackendConnectionFailure",
    ),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        502,
        "BackendConnectionFailure",
    ),
    "an endless head": (
        b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 200_000 + b"\r\n\r\n",
        502,
        "BackendConnectionFailure",
    ),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 304, None),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, None),
    "an event stream with a length": (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: 1\n\n",
        200,
        None,
    ),
}


@pytest.fixture(scope="module")
def odd(system: System) -> Iterator[str]:
    """An API whose backend answers /NUMBER with the bytes of that row."""

    async def script(peer: Peer) -> None:
        number = int((await peer.request()).target.removeprefix(b"/"))
        await peer.send(list(ODD.values())[number][0])

    with RawServer(script) as backend:
        text = "{{kind: Api, name: odd, path: odd, type: passthrough, backend: {{url: {url}}}, products: [starter]}}"
        system.apply(text.format(url=json.dumps(backend.url)))
        key = {"api-key": system.keys["team"]}
        wait_until(lambda: httpx2.get(f"{system.url}/odd/0", headers=key).status_code != 404)
        yield "/odd/"


@pytest.mark.parametrize("name", ODD)
def test_odd_answers(http: httpx2.Client, odd: str, name: str) -> None:
    """What is no proper HTTP answer is a failure of the backend, said in the one error shape."""
    _, status, code = ODD[name]
    got = http.get(f"{odd}{list(ODD).index(name)}")
    if code is None:
        assert (got.status_code, got.text) == (status, "data: 1\n\n" if status == 200 else "")
    else:
        assert_error(got, status, code)
