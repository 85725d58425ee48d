"""Answers screened before callers see them: the official client, the real worker, the stand-in for the service."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from openai import APIError, AsyncOpenAI, InternalServerError, PermissionDeniedError
from openai.types.chat import ChatCompletionChunk

from local.content_safety import SafetyServer
from tests.front_door.screened import Screened
from tests.front_door.system import System, wait_until

ENFORCED = "enforceOnCompletions: true\n  windowSize: 60\n  windowOverlapSize: 20"
CALM = "All is calm and all is bright. "


@pytest.fixture
def screened(system: System, safety: SafetyServer, request: pytest.FixtureRequest) -> Iterator[Screened]:
    """An API whose answers are screened, with more settings where the test gives some."""
    made = Screened(system, safety, ENFORCED + getattr(request, "param", ""))
    yield made
    made.client.close()


def says(text: str, **more: str) -> dict[str, str]:
    """What has the model answer so."""
    return {"x-stand-in-say": json.dumps(text), **more}


def chunks(api: Screened, text: str, **more: str) -> Iterator[ChatCompletionChunk]:
    return api.client.chat.completions.create(
        model="stand-in",
        messages=[{"role": "user", "content": f"Good morning {uuid.uuid4()}"}],
        stream=True,
        extra_headers=says(text, **more),
    )


def streamed(api: Screened, text: str, **more: str) -> tuple[str, str | None, APIError | None]:
    """The text of a stream, why it ended, and the error in it."""
    said, finished = "", None
    try:
        for chunk in chunks(api, text, **more):
            for choice in chunk.choices:
                said += choice.delta.content or ""
                finished = choice.finish_reason or finished
    except APIError as error:
        return said, finished, error
    return said, finished, None


def test_a_harmful_answer_is_refused(screened: Screened) -> None:
    """With the same error as a harmful prompt."""
    with pytest.raises(PermissionDeniedError) as refused:
        screened.client.chat.completions.create(
            model="stand-in",
            messages=[{"role": "user", "content": "Good morning"}],
            extra_headers=says("You could stab them."),
        )
    assert refused.value.code == "content_filter"
    error = refused.value.response.json()["error"]
    assert error["innererror"]["content_filter_result"]["violence"] == {"filtered": True}
    assert screened.log_of(refused.value.response)["contentSafety"] == "blocked"


def test_a_harmless_answer_goes_through(screened: Screened) -> None:
    """Whole and as a stream, with its usage."""
    answer = screened.post([{"role": "user", "content": "Good morning"}], says(CALM * 9))
    assert answer.json()["choices"][0]["message"]["content"] == CALM * 9
    assert answer.json()["usage"]["completion_tokens"] > 20
    assert "x-content-safety" not in answer.headers
    assert streamed(screened, CALM * 9) == (CALM * 9, "stop", None)


@pytest.mark.parametrize("split", [{}, {"x-stand-in-split-bytes": "7"}], ids=["events", "cut anywhere"])
def test_a_stream_ends_where_harm_begins(screened: Screened, split: dict[str, str]) -> None:
    """Clean windows before it, then a proper end, the error, and nothing more."""
    said, finished, error = streamed(screened, f"{CALM * 3}Now stab them. {CALM * 9}", **split)
    assert error is not None
    assert isinstance(error.body, dict)
    assert (finished, error.body["code"]) == ("content_filter", "content_filter")
    assert error.body["innererror"]["content_filter_result"]["violence"] == {"filtered": True}
    assert 60 <= len(said) < len(CALM * 4)
    assert f"{CALM * 3}Now ".startswith(said)


def test_the_end_of_a_stream_is_the_one_that_the_document_shows(screened: Screened) -> None:
    """Line for line, but for what is a stream's own."""
    answer = screened.post([{"role": "user", "content": "Hello"}], says("stab"), stream=True)
    assert answer.status_code == 200
    events = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    last, error, done = events[-3:]
    assert json.loads(last)["choices"] == [{"index": 0, "delta": {}, "finish_reason": "content_filter"}]
    assert json.loads(error)["statusCode"] == 403
    assert done == "[DONE]"


def test_the_backend_is_told_when_a_stream_is_ended(screened: Screened) -> None:
    """It would go on for a minute."""
    started = time.monotonic()
    text = f"{CALM * 3}stab {CALM * 40}"
    _, _, error = streamed(screened, text, **{"x-stand-in-chunk-delay": "0.05"})
    assert error is not None
    assert time.monotonic() - started < 10
    wait_until(lambda: screened.system.model.stats()["inFlight"] == 0)


def test_what_was_delivered_is_counted(system: System, safety: SafetyServer) -> None:
    """Against limits too; a whole answer that was refused was made, and counts."""
    limit = "counterKey: api, tokensPerMinute: 5000, estimatePromptTokens: true, remainingTokensHeaderName: x-left"
    api = Screened(system, safety, ENFORCED, beside=f"tokenLimit: {{{limit}}}")
    try:
        text = "Good morning"
        first = api.ask(text)
        left = int(first.headers["x-left"])
        refused = api.post([{"role": "user", "content": text}], says(f"{CALM * 20} stab"))
        assert refused.status_code == 403
        used = api.log_of(refused)
        assert used["completionTokens"] > 100
        answer = api.ask(text)
        spent = used["promptTokens"] + used["completionTokens"] + answer.json()["usage"]["total_tokens"]
        assert left - int(answer.headers["x-left"]) == spent
        stream = api.post([{"role": "user", "content": text}], says(f"{CALM * 6}stab"), stream=True)
        line = api.log_of(stream)
        assert (line["contentSafety"], line["code"]) == ("blocked", "content_filter")
        assert 10 < line["completionTokens"] < 60
    finally:
        api.client.close()


def test_responses_and_completions_end_in_their_own_way(screened: Screened) -> None:
    """As their clients know it."""
    text = f"{CALM * 3}stab"
    kinds = []
    with pytest.raises(APIError) as refused:
        for event in screened.client.responses.create(
            model="stand-in", input="Good morning", stream=True, extra_headers=says(text)
        ):
            kinds.append(event.type)
            last = event
    assert refused.value.code == "content_filter"
    assert kinds[-1] == "response.incomplete"
    assert last.response.incomplete_details.reason == "content_filter"
    ends = []
    with pytest.raises(APIError):
        for chunk in screened.client.completions.create(
            model="stand-in", prompt="Good morning", stream=True, extra_headers=says(text)
        ):
            ends += [choice.finish_reason for choice in chunk.choices]
    assert ends[-1] == "content_filter"


def test_a_response_says_its_text_five_times_and_has_it_screened_once(screened: Screened) -> None:
    """Deltas, and four repetitions at their end."""
    text = f"{uuid.uuid4()} {CALM * 4}"
    before = screened.safety.texts()
    events = list(
        screened.client.responses.create(model="stand-in", input="Good morning", stream=True, extra_headers=says(text))
    )
    assert events[-1].response.output_text == text
    sent = screened.safety.texts() - before
    assert sum(len(each) for each in sent) < len(text) * 2


@pytest.mark.parametrize("screened", ["\n  timeout: 0.5", "\n  timeout: 0.5\n  onError: allow"], indirect=True)
def test_a_service_that_fails_while_the_model_answers(screened: Screened, request: pytest.FixtureRequest) -> None:
    """An error of its own, or the answer with a mark."""
    screened.ask("Good morning")
    screened.safety.fail(status=500, times=None)
    # Nothing is known of it.
    text = f"{uuid.uuid4()} {CALM * 9}"
    answer = screened.post([{"role": "user", "content": "Good morning"}], says(text))
    body = screened.post([{"role": "user", "content": "Good morning"}], says(text), stream=True).text
    if "allow" in request.node.name:
        assert (answer.status_code, answer.headers["x-content-safety"]) == (200, "unavailable")
        assert body.endswith("data: [DONE]\n\n")
        assert "error" not in body
    else:
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "content_safety_unavailable")
        assert json.loads(body.split("data: ")[-1])["error"]["code"] == "content_safety_unavailable"
        assert "calm" not in body


CACHE = "semanticCache: {mode: exact}"


def test_cached_answers_are_screened_again_when_settings_change(system: System, safety: SafetyServer) -> None:
    """An answer that was kept before anybody screened answers is not given when they are."""
    api = Screened(system, safety, beside=CACHE)
    try:
        text = f"How do I boil an egg {uuid.uuid4()}?"
        messages = [{"role": "user", "content": text}]
        assert api.post(messages, says("stab it")).status_code == 200
        assert api.ask(text).headers["x-cache"].startswith("HIT")
        api.change(ENFORCED)
        wait_until(lambda: api.ask(text).status_code == 403)
        refused = api.ask(text)
        assert refused.json()["error"]["code"] == "content_filter"
        stream = api.ask(text, stream=True)
        assert stream.status_code == 403
    finally:
        api.client.close()


def test_answers_that_were_screened_are_given_without_asking(system: System, safety: SafetyServer) -> None:
    """Even while the service is away, for nothing has changed since."""
    api = Screened(system, safety, ENFORCED, beside=CACHE)
    try:
        text = f"How do I boil an egg {uuid.uuid4()}?"
        answer = api.ask(text)
        assert answer.status_code == 200
        safety.fail(status=500, times=None)
        again = api.ask(text)
        assert again.headers["x-cache"].startswith("HIT")
        assert again.json()["choices"] == answer.json()["choices"]
        assert "x-content-safety" not in again.headers
    finally:
        api.client.close()


@pytest.mark.parametrize("is_streamed", [False, True])
def test_an_answer_that_was_blocked_is_not_kept(system: System, safety: SafetyServer, is_streamed: bool) -> None:
    """The model is asked again."""
    api = Screened(system, safety, ENFORCED, beside=CACHE)
    try:
        text = f"How do I boil an egg {uuid.uuid4()}?"
        messages = [{"role": "user", "content": text}]
        blocked = api.post(messages, says(f"{CALM * 4}stab"), stream=is_streamed)
        assert "content_filter" in blocked.text
        answer = api.post(messages, stream=is_streamed)
        assert answer.status_code == 200
        assert answer.headers["x-cache"].startswith("MISS")
        assert "egg" in answer.text
    finally:
        api.client.close()


def test_what_passed_unscreened_is_screened_when_it_is_given_again(system: System, safety: SafetyServer) -> None:
    """It was let through while the service was away; that is no reason to keep letting it through."""
    api = Screened(system, safety, f"{ENFORCED}\n  onError: allow", beside=CACHE)
    try:
        text = f"How do I boil an egg {uuid.uuid4()}?"
        messages = [{"role": "user", "content": text}]
        safety.fail(status=500, times=None)
        assert api.post(messages, says(f"stab {text}")).headers["x-content-safety"] == "unavailable"
        safety.reset()
        assert api.ask(text).status_code == 403
    finally:
        api.client.close()


def test_callers_of_one_flight_get_the_same_end(system: System, safety: SafetyServer) -> None:
    """They share what was screened once."""
    api = Screened(system, safety, ENFORCED, beside=CACHE)
    try:
        text = f"How do I boil an egg {uuid.uuid4()}?"
        headers = says(f"{CALM * 6}stab", **{"x-stand-in-chunk-delay": "0.01"})

        def ask(_: int) -> str:
            answer = api.post([{"role": "user", "content": text}], headers, stream=True)
            return answer.text

        with ThreadPoolExecutor(10) as pool:
            bodies = list(pool.map(ask, range(10)))
        assert len(set(bodies)) == 1
        assert bodies[0].endswith("data: [DONE]\n\n")
        assert '"finish_reason":"content_filter"' in bodies[0]
    finally:
        api.client.close()


async def test_200_streams_at_once_are_screened(screened: Screened) -> None:
    """Each by itself: the harmful ones end, the others are whole."""
    client = AsyncOpenAI(base_url=screened.url, api_key=screened.key, max_retries=0, timeout=60)
    screened.safety.set_delay(0.02)

    async def one(number: int) -> tuple[str, bool]:
        said = ""
        text = f"{number} {CALM * 5}" + ("stab" if number % 5 == 0 else "")
        try:
            stream = await client.chat.completions.create(
                model="stand-in",
                messages=[{"role": "user", "content": "Good morning"}],
                stream=True,
                extra_headers=says(text),
            )
            async for chunk in stream:
                said += "".join(choice.delta.content or "" for choice in chunk.choices)
        except APIError:
            return said, False
        return said, said == text

    ends = await asyncio.gather(*map(one, range(200)))
    await client.close()
    for number, (said, is_whole) in enumerate(ends):
        assert said.startswith(f"{number} All is calm")
        assert is_whole == (number % 5 != 0)
        assert "stab" not in said


def test_a_caller_that_leaves_while_a_window_is_held_ends_the_call(screened: Screened) -> None:
    """The backend is told, and the log says who it was."""
    request_id = uuid.uuid4().hex
    headers = {"api-key": screened.key, "x-request-id": request_id}
    headers |= says(f"{request_id} {CALM * 40}", **{"x-stand-in-chunk-delay": "0.05"})
    body = {"model": "stand-in", "messages": [{"role": "user", "content": "Good morning"}], "stream": True}
    screened.ask("Good morning")
    screened.safety.hold()
    url = f"{screened.url}/chat/completions"
    with httpx2.stream("POST", url, headers=headers, json=body, timeout=30) as answer:
        assert answer.status_code == 200
        wait_until(lambda: any(text.startswith(request_id) for text in screened.safety.texts()))
    line = screened.system.log_of(request_id)
    assert line["code"] == "CallerDisconnected"
    screened.safety.release()
    wait_until(lambda: screened.system.model.stats()["inFlight"] == 0)


def test_answers_of_a_passthrough_are_screened_too(system: System, safety: SafetyServer) -> None:
    """Whatever they are: this one repeats what it was sent, to a request that has no body."""
    api = Screened(system, safety, ENFORCED, kind="passthrough")
    try:
        headers = {"api-key": api.key}
        assert httpx2.get(f"{api.url}/echo?say=stab", headers=headers).status_code == 403
        answer = httpx2.get(f"{api.url}/echo?say=words", headers=headers)
        assert answer.status_code == 200
        # Compressed, it could not be read.
        assert ["accept-encoding", "identity"] in answer.json()["headers"]
    finally:
        api.client.close()


def test_errors_of_the_service_are_no_traceback(screened: Screened) -> None:
    """To the client it is a server error with the code."""
    screened.ask("Good morning")
    screened.safety.fail(html=True, times=None)
    with pytest.raises(InternalServerError) as failed:
        screened.client.chat.completions.create(
            model="stand-in",
            messages=[{"role": "user", "content": "Good morning"}],
            extra_headers=says(f"words {uuid.uuid4()}"),
        )
    assert failed.value.code == "content_safety_unavailable"
