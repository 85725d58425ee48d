"""What callers get of an answer is clean, byte for byte as it came, and no more is held than must be."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from gateway.backends.client import BackendClient
from gateway.backends.credentials import ManagedIdentity
from gateway.call import CacheNote, Call, Reply
from gateway.errors import PolicyError, ProviderError
from gateway.llm.tokenizer import Tokenizer
from gateway.llm.tokens import Protocol
from gateway.llm.usage import Usage
from gateway.pipeline import Next
from gateway.safety.screeners import Screeners
from local.content_safety import SafetyServer
from tests.policies.answered import EVENTS, JSON, Answered
from tests.policies.measured import DONE, PROMPT_TOKENS, USAGE, chunk
from tests.policies.served import until
from tests.safety.answers.test_parts import frame
from tests.test_response import Body, Caller

CALM = "all is calm and all is bright. "
FRAMES = ((b"content-type", b"application/vnd.amazon.eventstream"),)


@pytest.fixture
def service() -> Iterator[SafetyServer]:
    """The stand-in without a key."""
    with SafetyServer() as running:
        yield running


@pytest.fixture
async def screeners() -> AsyncIterator[Screeners]:
    client = BackendClient(ManagedIdentity(None), 100)
    made = Screeners(client)
    yield made
    await made.aclose()
    await client.aclose()


class Setting:
    """What every test needs: makes chains that screen by the stand-in."""

    def __init__(self, screeners: Screeners, tokenizer: Tokenizer, service: SafetyServer) -> None:
        self.service = service
        self._made = screeners, tokenizer

    def with_(self, **fields: Any) -> Answered:
        return Answered(*self._made, self.service.url, **fields)


@pytest.fixture
def setting(screeners: Screeners, tokenizer: Tokenizer, service: SafetyServer) -> Setting:
    return Setting(screeners, tokenizer, service)


def whole(text: str) -> bytes:
    usage = {"prompt_tokens": 11, "completion_tokens": 12}
    message = {"role": "assistant", "content": text}
    return json.dumps({"choices": [{"index": 0, "message": message}], "usage": usage}).encode()


def events(body: bytes) -> list[Any]:
    """The documents of a stream."""
    lines = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line) if line.startswith(b"{") else line for line in lines]


def text_of(body: bytes) -> str:
    found = [event for event in events(body) if isinstance(event, dict)]
    return "".join(choice["delta"].get("content", "") for event in found for choice in event.get("choices", []))


def gist(error: Any) -> tuple[Any, ...]:
    return error["statusCode"], error["error"]["code"], error["error"].get("innererror")


VIOLATION = (403, "content_filter", {"content_filter_result": {"violence": {"filtered": True, "severity": "medium"}}})
OUTAGE = (503, "content_safety_unavailable", None)


@pytest.mark.parametrize("in_pieces", [False, True])
async def test_a_clean_answer_goes_on_as_it_came(setting: Setting, in_pieces: bool) -> None:
    """To the byte, and screened once."""
    answered = setting.with_()
    content = whole(CALM)
    answered.backend.body = Body(content[:10], content[10:]) if in_pieces else content
    caller = await answered.run()
    assert caller.body == content
    assert setting.service.texts() == {CALM: 1}
    assert answered.usage == Usage(11, 12)


@pytest.mark.parametrize("in_pieces", [False, True])
async def test_a_harmful_answer_is_refused_before_it_is_sent(setting: Setting, in_pieces: bool) -> None:
    """With the same object as a harmful prompt; the model has made it, so it is charged."""
    answered = setting.with_()
    content = whole("a massacre, no: stab")
    answered.backend.body = body = Body(content)
    if not in_pieces:
        answered.backend.body = content
    call = answered.call()
    caller = await answered.run(call)
    assert caller.messages[0]["status"] == 403
    assert gist(json.loads(caller.body))[:2] == VIOLATION[:2]
    assert answered.usage == Usage(11, 12)
    assert (answered.outcomes[0].code, call.safety and call.safety.status) == ("content_filter", "blocked")
    assert body.closed == in_pieces


async def test_a_harmful_answer_that_tells_no_usage_is_counted(setting: Setting, tokenizer: Tokenizer) -> None:
    """As it was made."""
    answered = setting.with_()
    answered.backend.body = json.dumps({"choices": [{"message": {"content": "stab them"}}]}).encode()
    await answered.run()
    assert answered.usage == Usage(PROMPT_TOKENS, tokenizer.count_now(["stab them"], "gpt-4o"))


WHOLE_ANSWERS: dict[str, tuple[Protocol | None, Any]] = {
    "chat-tools": (
        Protocol.CHAT,
        {"choices": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": '{"a": "\\u0073tab"}'}}]}}]},
    ),
    "completions": (Protocol.COMPLETIONS, {"choices": [{"index": 0, "text": "x"}, {"index": 1, "text": "stab"}]}),
    "responses": (Protocol.RESPONSES, {"object": "response", "output": [{"content": [{"text": "stab"}]}]}),
    "anthropic": (Protocol.ANTHROPIC, {"type": "message", "content": [{"type": "text", "text": "stab"}]}),
    "gemini": (Protocol.GEMINI, {"candidates": [{"content": {"parts": [{"text": "stab"}]}}]}),
    "gemini-list": (
        Protocol.GEMINI,
        [{"candidates": [{"content": {"parts": [{"text": part}]}}]} for part in ("st", "ab")],
    ),
    "bedrock": (Protocol.BEDROCK, {"output": {"message": {"content": [{"text": "stab"}]}}}),
    "images": (Protocol.IMAGES, {"data": [{"b64_json": "AAAA", "revised_prompt": "stab"}]}),
    "unknown": (None, {"generated_text": "stab"}),
}


@pytest.mark.parametrize(("protocol", "document"), WHOLE_ANSWERS.values(), ids=WHOLE_ANSWERS)
async def test_answers_of_every_protocol_are_screened(
    setting: Setting, protocol: Protocol | None, document: Any
) -> None:
    """Wherever the words stand."""
    answered = setting.with_()
    answered.backend.body = json.dumps(document).encode()
    caller = await answered.run(answered.call(protocol))
    assert gist(json.loads(caller.body)) == VIOLATION


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/x-ndjson", b'{"response": "st"}\n{"response": "ab"}\n'),
        ("application/json", b"stab, which is no JSON"),
        ("text/plain; charset=utf-8", b"a transcript: stab"),
        ("", b"stab"),
        ("multipart/mixed; boundary=x", b"--x\r\n\r\nstab\r\n--x--\r\n"),
    ],
)
async def test_what_only_looks_like_text_is_screened_too(setting: Setting, kind: str, content: bytes) -> None:
    """Lines of JSON as one text, anything else as it is."""
    answered = setting.with_()
    answered.backend.body = content
    answered.backend.headers = [(b"content-type", kind.encode())] if kind else []
    caller = await answered.run(answered.call(None, "GET"))
    assert gist(json.loads(caller.body)) == VIOLATION


@pytest.mark.parametrize(
    ("protocol", "headers", "status"),
    [
        (None, ((b"content-type", b"audio/mpeg"),), 200),
        (Protocol.CHAT, JSON, 400),
    ],
    ids=["sound", "an error"],
)
async def test_what_is_no_answer_in_words_passes(
    setting: Setting, protocol: Protocol | None, headers: Any, status: int
) -> None:
    """Nobody is asked, and nothing is held."""
    answered = setting.with_()
    answered.backend.body, answered.backend.headers, answered.backend.status = b'"stab"', headers, status
    caller = await answered.run(answered.call(protocol))
    assert (caller.messages[0]["status"], caller.body) == (status, b'"stab"')
    assert not [text for text in setting.service.texts() if "stab" in text]


async def test_numbers_say_nothing(setting: Setting) -> None:
    """But whoever calls a path that is called so need not get any."""
    answered = setting.with_()
    answered.backend.body = content = b'{"object": "list", "data": [{"embedding": [0.1, 0.2]}, {"embedding": "AAAA"}]}'
    caller = await answered.run(answered.call(Protocol.EMBEDDINGS))
    assert (caller.body, setting.service.texts()) == (content, {})
    answered.backend.body = whole("stab")
    caller = await answered.run(answered.call(Protocol.EMBEDDINGS), caller=Caller())
    assert gist(json.loads(caller.body)) == VIOLATION


@pytest.mark.parametrize("coding", [b"Identity", b" identity ", b""])
async def test_what_is_said_not_to_be_compressed_is_read(setting: Setting, coding: bytes) -> None:
    """However that is written."""
    answered = setting.with_()
    answered.backend.headers = [(b"content-encoding", coding), *EVENTS]
    answered.backend.body = Body(chunk("calm"), DONE)
    assert (await answered.run()).body == chunk("calm") + DONE


async def test_the_second_of_two_codings_counts_too(setting: Setting) -> None:
    """What cannot be read is no clean answer."""
    answered = setting.with_()
    answered.backend.headers = [(b"content-encoding", b"identity"), (b"content-encoding", b"gzip"), *JSON]
    answered.backend.body = gzip.compress(whole("stab"))
    assert gist(json.loads((await answered.run()).body)) == OUTAGE


async def test_an_answer_is_read_in_its_own_letters(setting: Setting) -> None:
    """And is not readable in letters that nobody knows."""
    answered = setting.with_()
    answered.backend.headers = [(b"content-type", b"text/plain; charset=utf-16")]
    answered.backend.body = "You could stab them.".encode("utf-16")
    assert gist(json.loads((await answered.run(answered.call(None))).body)) == VIOLATION
    answered.backend.headers = [(b"content-type", b"text/plain; charset=nobodys")]
    assert gist(json.loads((await answered.run(answered.call(None), caller=Caller())).body)) == OUTAGE


async def test_an_answer_that_cannot_be_read_is_charged(setting: Setting) -> None:
    """The service has not failed: callers who can have such answers made would call beyond their limits."""
    answered = setting.with_()
    deep = b"[" * 90 + b'"x"' + b"]" * 90
    answered.backend.body = b'{"choices": %s, "usage": {"prompt_tokens": 11, "completion_tokens": 12}}' % deep
    assert gist(json.loads((await answered.run()).body)) == OUTAGE
    assert answered.usage == Usage(11, 12)


UNREADABLE: dict[str, tuple[bytes, Any]] = {
    "compressed": (whole(CALM), ((b"content-encoding", b"gzip"), *JSON)),
    "a sound in place of words": (b"\x00", ((b"content-type", b"audio/mpeg"),)),
    "too deep": (b'{"a":' + b"[" * 90 + b'"x"' + b"]" * 90 + b"}", JSON),
}


@pytest.mark.parametrize("on_error", ["block", "allow"])
@pytest.mark.parametrize(("content", "headers"), UNREADABLE.values(), ids=UNREADABLE)
async def test_an_answer_that_cannot_be_read_is_an_outage(
    setting: Setting, on_error: str, content: bytes, headers: Any
) -> None:
    """It is refused, or goes through with a mark; it is never taken for clean."""
    answered = setting.with_(onError=on_error)
    answered.backend.body = body = Body(content)
    answered.backend.headers = headers
    call = answered.call()
    caller = await answered.run(call)
    assert body.closed
    if on_error == "block":
        assert gist(json.loads(caller.body)) == OUTAGE
    else:
        assert caller.body == content
        assert caller.headers[b"x-content-safety"] == b"unavailable"
    assert call.safety is not None
    assert call.safety.status == "unavailable"


@pytest.mark.parametrize("fault", [{"status": 500}, {"hang": True}, {"html": True}, {"status": 401}])
@pytest.mark.parametrize("on_error", ["block", "allow"])
async def test_a_service_that_fails_for_an_answer(setting: Setting, on_error: str, fault: dict[str, Any]) -> None:
    """It is an outage and no violation: 503, or through with a mark."""
    answered = setting.with_(onError=on_error, timeout=0.3)
    await answered.run()
    answered.caller = Caller()
    answered.backend.body = content = whole("stab")
    setting.service.fail(times=None, **fault)
    caller = await answered.run()
    if on_error == "block":
        assert gist(json.loads(caller.body)) == OUTAGE
    else:
        assert (caller.body, caller.headers[b"x-content-safety"]) == (content, b"unavailable")


def stream(answered: Answered, *parts: Any, headers: Any = EVENTS) -> Body:
    answered.backend.headers = headers
    answered.backend.body = body = Body(*parts)
    return body


def words(text: str) -> list[bytes]:
    """A chat completion, a word an event."""
    return [chunk(word + " ") for word in text.split()]


async def test_a_clean_stream_goes_on_as_it_came(setting: Setting) -> None:
    """Byte for byte, whatever its windows were."""
    answered = setting.with_()
    parts = [*words(CALM * 8), USAGE, DONE]
    stream(answered, *parts)
    caller = await answered.run()
    assert caller.body == b"".join(parts)
    assert caller.ended
    assert answered.usage == Usage(11, 12)
    assert 30 < max(map(len, setting.service.texts())) <= 40


@pytest.mark.parametrize("size", [1, 3, 50, 100_000])
async def test_a_stream_may_be_cut_anywhere(setting: Setting, size: int) -> None:
    """Within an event, and within a letter."""
    answered = setting.with_()
    content = b"".join([*words("天気 Grüße 👋 " * 12), USAGE, DONE])
    stream(answered, *(content[start : start + size] for start in range(0, len(content), size)))
    caller = await answered.run()
    assert caller.body == content


async def test_text_is_held_until_its_window_is_clean(setting: Setting) -> None:
    """What says nothing before it goes at once, and of the text no more waits than a window."""
    answered = setting.with_()
    parts = words(CALM * 4)
    role = b'data: {"choices": [{"index": 0, "delta": {"role": "assistant"}}]}\n\n'
    going_on = asyncio.Event()
    taken: list[bytes] = []

    async def slowly() -> AsyncIterator[bytes]:
        yield role
        for part in parts:
            taken.append(part)
            yield part
        await going_on.wait()

    setting.service.hold()
    answered.backend.headers, answered.backend.body = EVENTS, slowly()
    running = asyncio.create_task(answered.run())
    await until(lambda: setting.service.texts())
    assert answered.caller.body == role
    assert 40 < len(text_of(b"".join(taken))) <= 40 + len("bright. ")
    setting.service.release()
    await until(lambda: len(text_of(answered.caller.body)) > 80)
    text = text_of(b"".join(parts))
    assert len(text) - len(text_of(answered.caller.body)) < 40
    assert text.startswith(text_of(answered.caller.body))
    going_on.set()
    await running
    assert answered.caller.body == role + b"".join(parts)


async def test_keep_alives_flow_while_text_is_held(setting: Setting) -> None:
    """A caller must not take the stream for dead."""
    answered = setting.with_()
    stream(answered, chunk("a few words"), 1.0, DONE)
    caller = await answered.run()
    assert caller.body.startswith(b": keep-alive\n\n")
    assert caller.body.endswith(chunk("a few words") + DONE)


async def test_a_window_of_0_holds_everything(setting: Setting) -> None:
    """To the end, and asks once."""
    answered = setting.with_(windowSize=0)
    parts = [*words(CALM * 20), DONE]
    stream(answered, *parts)
    caller = await answered.run()
    assert caller.body == b"".join(parts)
    assert len(caller.messages) == 3
    assert [text for text in setting.service.texts() if CALM in text] == [CALM * 20]


async def test_the_last_event_ends_the_waiting(setting: Setting) -> None:
    """Backends need not close the connection after it, nor callers wait for that."""
    answered = setting.with_()
    going_on = asyncio.Event()

    async def open_ended() -> AsyncIterator[bytes]:
        yield chunk("a few words")
        yield DONE
        await going_on.wait()

    answered.backend.headers, answered.backend.body = EVENTS, open_ended()
    running = asyncio.create_task(answered.run())
    await until(lambda: answered.caller.body.endswith(DONE))
    going_on.set()
    await running


HARM: dict[str, list[bytes]] = {
    "in one event": [chunk("now stab")],
    "split over events": [chunk("now st"), chunk("a"), chunk("b")],
    "in the last event": [DONE[:0], chunk("."), chunk(" stab")],
}


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
async def test_a_violation_ends_the_stream(
    setting: Setting, tokenizer: Tokenizer, harm: list[bytes], size: int | None
) -> None:
    """What was clean is delivered; then come the last chunk, the error and the end, and the backend is told."""
    answered = setting.with_()
    clean = words(CALM * 2)
    content = b"".join([*clean, *harm])
    pieces = [content[start : start + size] for start in range(0, len(content), size)] if size else [*clean, *harm]
    body = stream(answered, *pieces)
    call = answered.call()
    caller = await answered.run(call)
    *before, last, error, done = events(caller.body)
    assert last == {
        "id": "c-1",
        "created": 7,
        "model": "m",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "content_filter"}],
    }
    assert gist(error) == VIOLATION
    assert done == b"[DONE]"
    delivered = "".join(event["choices"][0]["delta"]["content"] for event in before)
    assert 20 <= len(delivered) <= len(CALM * 2)
    assert text_of(b"".join(clean)).startswith(delivered)
    assert (body.closed, caller.ended) == (True, True)
    assert (answered.outcomes[0].code, call.safety and call.safety.status) == ("content_filter", "blocked")
    assert answered.usage == Usage(PROMPT_TOKENS, tokenizer.count_now([delivered], "gpt-4o"))


async def test_a_stream_of_very_many_texts_is_screened_behind_them_too(setting: Setting) -> None:
    """They are a failure, once."""
    answered = setting.with_(onError="allow", windowSize=1000)
    many = json.dumps([{"index": number, "text": "x"} for number in range(1_500)]).encode()
    stream(answered, b"data: " + many + b"\n\n", chunk("now stab"), DONE)
    caller = await answered.run()
    assert gist(events(caller.body)[-2]) == VIOLATION


async def test_a_long_event_is_screened(setting: Setting) -> None:
    """It is read in a thread, whole, and goes on as it came."""
    answered = setting.with_()
    event = b'data: {"lists": [' + b"[]," * 200_000 + b'"a few words"]}\n\n'
    pieces = [event[start : start + 65_536] for start in range(0, len(event), 65_536)]
    stream(answered, *pieces, chunk("calm"), DONE)
    assert (await answered.run()).body == event + chunk("calm") + DONE
    assert [text for text in setting.service.texts() if text.startswith("a few words")]


def of_choice(index: int, text: str | None, reason: str | None = None) -> bytes:
    delta = {} if text is None else {"content": text}
    choice = {"index": index, "delta": delta, "finish_reason": reason}
    return b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n"


@pytest.mark.parametrize("is_held", [False, True])
async def test_a_choice_that_its_caller_has_seen_end_does_not_end_again(setting: Setting, is_held: bool) -> None:
    """Whether its end was held for a window, or there was nothing to hold it for."""
    answered = setting.with_()
    ended = of_choice(0, "x" * 30, "stop") if is_held else of_choice(0, None, "stop")
    stream(answered, ended, of_choice(1, "y" * 30), of_choice(1, "now stab"), DONE)
    caller = await answered.run()
    *_, last, error, _ = events(caller.body)
    assert last["choices"] == [{"index": 1, "delta": {}, "finish_reason": "content_filter"}]
    assert gist(error) == VIOLATION


async def test_the_backend_is_told_before_the_caller(setting: Setting) -> None:
    """However long a caller takes to accept the last words, the model is not at work for it any more."""
    answered = setting.with_()
    body = stream(answered, chunk("stab"), chunk("x" * 40), 60.0)
    reply = await answered.reply(answered.call())
    assert not isinstance(reply.body, bytes)
    assert b"content_filter" in await anext(reply.body)
    assert body.closed
    with pytest.raises(PolicyError):
        await anext(reply.body)
    with pytest.raises(StopAsyncIteration):
        await anext(reply.body)


async def test_a_violation_at_the_seam_of_two_windows_is_seen(setting: Setting) -> None:
    """For each window begins with the end of the one before."""
    answered = setting.with_()
    stream(answered, chunk("x" * 38 + " st"), chunk("ab" + " y" * 30), DONE)
    caller = await answered.run()
    assert gist(events(caller.body)[-2]) == VIOLATION


async def test_a_violation_within_a_letter_is_seen(setting: Setting) -> None:
    """A piece of a stream may end within a letter of UTF-8."""
    answered = setting.with_(categories={}, blocklists=["brand"])
    content = chunk("Größenwahn")
    cut = content.index("ß".encode()) + 1
    stream(answered, content[:cut], content[cut:], DONE)
    setting.service.fail(times=None, answer={"blocklistsMatch": [{"blocklistName": "brand"}], "categoriesAnalysis": []})
    caller = await answered.run(answered.call(None, "GET"))
    assert setting.service.texts()["Größenwahn"] == 1
    assert events(caller.body)[0]["error"]["code"] == "content_filter"


async def test_a_violation_in_the_first_window_is_charged_the_prompt(setting: Setting) -> None:
    """The model was asked."""
    answered = setting.with_()
    stream(answered, chunk("stab"), DONE)
    await answered.run()
    assert answered.usage == Usage(PROMPT_TOKENS, 0)


ENDINGS: dict[str, tuple[Protocol | None, bytes, list[str]]] = {
    "completions": (
        Protocol.COMPLETIONS,
        b'data: {"choices":[{"index":0,"text":"stab"}]}\n\n',
        ["content_filter", "[DONE]"],
    ),
    "responses": (
        Protocol.RESPONSES,
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"stab"}\n\n',
        ["response.incomplete", "content_filter", "[DONE]"],
    ),
    "anthropic": (
        Protocol.ANTHROPIC,
        b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"text":"stab"}}\n\n',
        ['"stop_reason":"refusal"', "event: message_stop", "event: error\n"],
    ),
    "gemini": (
        Protocol.GEMINI,
        b'data: {"candidates":[{"content":{"parts":[{"text":"stab"}]}}]}\n\n',
        ['"finishReason":"SAFETY"', '"code":"content_filter"'],
    ),
    "unknown": (None, b"data: stab\n\n", ['"code":"content_filter"']),
}


@pytest.mark.parametrize(("protocol", "harm", "expected"), ENDINGS.values(), ids=ENDINGS)
async def test_each_protocol_has_its_own_last_words(
    setting: Setting, protocol: Protocol | None, harm: bytes, expected: list[str]
) -> None:
    """In their order, and none of the harmful ones."""
    answered = setting.with_()
    stream(answered, harm)
    said = (await answered.run(answered.call(protocol))).body.decode()
    places = [said.index(word) for word in expected]
    assert places == sorted(places)
    assert "stab" not in said


async def test_bedrocks_frames_are_screened_as_they_come(setting: Setting) -> None:
    """A violation ends them with the frame that says so, and the connection is broken off."""
    answered = setting.with_()
    clean = [frame({"contentBlockIndex": 0, "delta": {"text": CALM}}) for _ in range(3)]
    stream(answered, *clean, headers=FRAMES)
    assert (await answered.run(answered.call(Protocol.BEDROCK))).body == b"".join(clean)
    stream(answered, *clean, frame({"contentBlockIndex": 0, "delta": {"text": "stab"}}), headers=FRAMES)
    caller = await answered.run(answered.call(Protocol.BEDROCK), caller=Caller())
    assert caller.body.startswith(clean[0] + clean[1])
    assert b'{"stopReason":"content_filtered"}' in caller.body
    assert not caller.ended
    assert b"stab" not in caller.body


@pytest.mark.parametrize("on_error", ["block", "allow"])
async def test_a_service_that_fails_within_a_stream(setting: Setting, on_error: str) -> None:
    """Its text ends there with an error that is no violation, or goes on; the log and the metrics know."""
    answered = setting.with_(onError=on_error)
    parts = [*words(CALM * 6), DONE]

    async def failing_later() -> AsyncIterator[bytes]:
        for place, part in enumerate(parts):
            if place == 10:
                setting.service.fail(times=None, status=401)
            yield part

    answered.backend.headers, answered.backend.body = EVENTS, failing_later()
    call = answered.call()
    caller = await answered.run(call)
    assert call.safety is not None
    assert call.safety.status == "unavailable"
    if on_error == "allow":
        assert caller.body == b"".join(parts)
        return
    assert gist(events(caller.body)[-1]) == OUTAGE
    assert text_of(b"".join(parts)).startswith(text_of(caller.body[: caller.body.rindex(b"data: ")]))
    assert answered.outcomes[0].code == "content_safety_unavailable"


async def test_a_stream_that_breaks_off_is_delivered_as_far_as_it_came(setting: Setting) -> None:
    """What was held is screened first; the error is the backend's."""
    answered = setting.with_()
    stream(answered, chunk("a few words"), ProviderError("BackendConnectionFailure"))
    caller = await answered.run()
    assert caller.body.startswith(chunk("a few words"))
    assert events(caller.body)[-1]["error"]["code"] == "BackendConnectionFailure"


async def test_a_stream_that_breaks_off_after_harm_ends_with_the_violation(setting: Setting) -> None:
    """Nothing of what was held goes out."""
    answered = setting.with_()
    stream(answered, chunk("stab"), ProviderError("BackendConnectionFailure"))
    caller = await answered.run()
    assert gist(events(caller.body)[-2]) == VIOLATION


async def test_a_caller_that_leaves_while_a_window_is_held_takes_everything_along(setting: Setting) -> None:
    """The backend's answer is closed, and nobody asks the service any more."""
    answered = setting.with_()
    body = stream(answered, *words(CALM * 4), 60.0)
    setting.service.hold()
    running = asyncio.create_task(answered.run())
    await until(lambda: setting.service.texts())
    answered.caller.leaves.set()
    await asyncio.wait_for(running, 5)
    assert (body.closed, answered.outcomes[0].code) == (True, "CallerDisconnected")
    setting.service.release()


class FromBefore:
    """A cache that has the answer, kept under some settings of content safety."""

    def __init__(self, stamp: str, body: bytes, headers: Any = JSON) -> None:
        self._stamp = stamp
        self._body = body
        self._headers = headers

    async def __call__(self, call: Call, next: Next) -> Reply:
        call.cache = CacheNote("HIT; exact", stamp=self._stamp)
        call.outcome.cached = True
        return Reply(200, list(self._headers), self._body)


@pytest.mark.parametrize("headers", [JSON, EVENTS], ids=["whole", "stream"])
async def test_a_cached_answer_is_screened_again_where_settings_have_changed(setting: Setting, headers: Any) -> None:
    """Not where it was screened by the same ones."""
    answered = setting.with_()
    content = whole("stab") if headers is JSON else chunk("st") + chunk("ab") + DONE
    await answered.run()
    call = answered.call()
    caller = await answered.run(call, FromBefore("another", content, headers), caller=Caller())
    assert gist(json.loads(caller.body)) == VIOLATION
    assert call.outcome.cached is False
    call = answered.call()
    await answered.run(call, caller=Caller())
    assert call.answer_screening is not None
    mine = call.answer_screening.stamp
    caller = await answered.run(answered.call(), FromBefore(mine, content, headers), caller=Caller())
    assert caller.body == content


async def test_200_streams_at_once_are_each_their_own(setting: Setting) -> None:
    """Each gets what is its own, and every harmful one ends."""
    answered = setting.with_()

    async def one(number: int) -> Caller:
        mine = setting.with_()
        harm = ["stab"] if number % 4 == 0 else []
        stream(mine, *words(f"{number} {CALM * 3}"), *map(chunk, harm), DONE)
        return await mine.run()

    callers = await asyncio.gather(*map(one, range(200)))
    for number, caller in enumerate(callers):
        assert text_of(caller.body).startswith(f"{number} ")
        assert (b"content_filter" in caller.body) == (number % 4 == 0)
        assert caller.body.endswith(DONE)
    assert answered.outcomes == []
