"""What the log says a call used, seen with the official client: reported, or counted from what it has received."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from openai import APIError, OpenAI

from gateway.llm.tokenizer import Tokenizer
from tests.backends.raw_server import Peer, RawServer
from tests.front_door.system import System, wait_until
from tests.front_door.test_limits_and_storage import quota_used

HELLO: list[Any] = [{"role": "user", "content": "Say hello to the whole world"}]
# By OpenAI's recipe: 3 a message, 1 for its role, its text, and 3 for the answer's beginning.
HELLO_TOKENS = 3 + 1 + 6 + 3


@pytest.fixture(scope="module", autouse=True)
def loaded(system: System) -> None:
    """The gateway has its vocabularies: until then it has a rule of thumb."""
    names = (f"usage-loaded-{number}" for number in itertools.count())

    def counts() -> bool:
        headers = {"api-key": system.keys["team"], "x-request-id": next(names), "x-stand-in-no-usage": "1"}
        document = {"model": "stand-in", "messages": HELLO}
        httpx2.post(f"{system.url}/openai/chat/completions", json=document, headers=headers).raise_for_status()
        return logged(system, headers["x-request-id"])[0] == HELLO_TOKENS

    wait_until(counts)


@pytest.fixture
def client(system: System) -> Iterator[OpenAI]:
    """The official client."""
    with OpenAI(base_url=f"{system.url}/openai", api_key=system.keys["team"], max_retries=0) as made:
        yield made


async def tokens(text: str) -> int:
    """Of a text, for a model that nobody knows."""
    return await Tokenizer().count([text], "stand-in")


def stream(client: OpenAI, request_id: str, received: list[Any], **more: Any) -> None:
    """One streamed chat completion; its chunks go into `received` as they come."""
    headers = {"x-request-id": request_id, **more.pop("wishes", {})}
    chunks = client.chat.completions.create(
        model="stand-in", messages=HELLO, stream=True, extra_headers=headers, **more
    )
    received.extend(chunks)


def logged(system: System, request_id: str) -> tuple[int | None, int | None]:
    """What the operator reads."""
    line = system.log_of(request_id)
    return line["promptTokens"], line["completionTokens"]


def text_of(chunks: list[Any]) -> str:
    """What the caller has received."""
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def test_the_event_comes_to_those_who_asked(system: System, client: OpenAI) -> None:
    """And is kept from the others, whose usage is known all the same."""
    asked: list[Any] = []
    stream(client, "usage-asked", asked, stream_options={"include_usage": True})
    not_asked: list[Any] = []
    stream(client, "usage-not-asked", not_asked)
    refused: list[Any] = []
    stream(client, "usage-refused", refused, stream_options={"include_usage": False})
    usage = asked[-1].usage
    assert (asked[-1].choices, len(asked)) == ([], len(not_asked) + 1)
    for chunks in (not_asked, refused):
        assert all(chunk.choices and chunk.usage is None for chunk in chunks)
        assert text_of(chunks) == text_of(asked)
    for name in ("usage-asked", "usage-not-asked", "usage-refused"):
        assert logged(system, name) == (usage.prompt_tokens, usage.completion_tokens)


async def test_a_backend_that_never_tells(system: System, client: OpenAI) -> None:
    """Streamed or whole, the prompt and the text are counted here."""
    received: list[Any] = []
    stream(client, "usage-never-streamed", received, wishes={"x-stand-in-no-usage": "1"})
    assert logged(system, "usage-never-streamed") == (HELLO_TOKENS, await tokens(text_of(received)))
    headers = {"x-request-id": "usage-never-whole", "x-stand-in-no-usage": "1"}
    whole = client.chat.completions.create(model="stand-in", messages=HELLO, extra_headers=headers)
    assert whole.choices[0].message.content == text_of(received)
    assert logged(system, "usage-never-whole") == (HELLO_TOKENS, await tokens(text_of(received)))


@pytest.mark.parametrize("wish", ["stream-error", "reset-after-bytes"])
async def test_an_error_in_the_middle(system: System, client: OpenAI, wish: str) -> None:
    """What came before it is counted; what fails before any text costs nothing."""
    received: list[Any] = []
    place = {"stream-error": "9", "reset-after-bytes": "3000"}[wish]
    wishes = {"x-stand-in-words": "200", f"x-stand-in-{wish}": place}
    with pytest.raises(APIError):
        stream(client, f"usage-middle-{wish}", received, wishes=wishes)
    assert text_of(received)
    assert logged(system, f"usage-middle-{wish}") == (HELLO_TOKENS, await tokens(text_of(received)))
    with pytest.raises(APIError):
        stream(client, f"usage-begin-{wish}", [], wishes={f"x-stand-in-{wish}": {"9": "0"}.get(place, "20")})
    assert logged(system, f"usage-begin-{wish}") == (None, None)


def test_a_refusal_costs_nothing(system: System, client: OpenAI) -> None:
    """Whatever its body says."""
    with pytest.raises(APIError):
        stream(client, "usage-429", [], wishes={"x-stand-in-status": "429"})
    assert logged(system, "usage-429") == (None, None)


async def test_a_caller_who_leaves(system: System, client: OpenAI) -> None:
    """Pays for the prompt, and for what the gateway had sent by then."""
    headers = {"x-request-id": "usage-left", "x-stand-in-words": "5000", "x-stand-in-chunk-delay": "0.005"}
    chunks = client.chat.completions.create(model="stand-in", messages=HELLO, stream=True, extra_headers=headers)
    received = [next(chunks) for _ in range(5)]
    chunks.close()
    prompt, completion = logged(system, "usage-left")
    assert prompt == HELLO_TOKENS
    assert await tokens(text_of(received)) <= (completion or 0) < 1_000
    line = system.log_of("usage-left")
    assert (line["code"], line["aborted"]) == ("CallerDisconnected", True)


def test_a_caller_who_leaves_before_the_answer(system: System) -> None:
    """Pays for the prompt: the backend was at work on it."""
    headers = {"api-key": system.keys["team"], "x-request-id": "usage-gone", "x-stand-in-delay": "1.5"}
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(
            f"{system.url}/openai/chat/completions",
            json={"model": "stand-in", "messages": HELLO},
            headers=headers,
            timeout=0.5,
        )
    assert logged(system, "usage-gone") == (HELLO_TOKENS, 0)


ABSURD: dict[str, Any] = {
    "negative": {"prompt_tokens": -5, "completion_tokens": -2, "total_tokens": -7},
    "text": {"prompt_tokens": "many", "completion_tokens": "more", "total_tokens": "lots"},
    "too-many": {"prompt_tokens": 10**12, "completion_tokens": 10**12, "total_tokens": 2 * 10**12},
}


def completion(usage: Any, *, streamed: bool) -> tuple[bytes, bytes]:
    """The content type and the body of a chat completion that says it used this."""
    choice = {"index": 0, "finish_reason": "stop"}
    message = {"role": "assistant", "content": "Hello there, world"}
    head = {"id": "c-1", "created": 7, "model": "stand-in"}
    if not streamed:
        whole = {**head, "object": "chat.completion", "choices": [{**choice, "message": message}], "usage": usage}
        return b"application/json", json.dumps(whole).encode()
    head["object"] = "chat.completion.chunk"
    documents = [{**head, "choices": [{**choice, "delta": message}]}, {**head, "choices": [], "usage": usage}]
    events = b"".join(b"data: " + json.dumps(document).encode() + b"\n\n" for document in documents)
    return b"text/event-stream", events + b"data: [DONE]\n\n"


@pytest.fixture(scope="module")
def absurd(system: System) -> Iterator[OpenAI]:
    """A client of an API whose backend reports nonsense, of the kind that its model's name says."""

    async def script(peer: Peer) -> None:
        while True:
            document = json.loads((await peer.request()).body or b"{}")
            usage = ABSURD.get(document.get("model", ""))
            kind, body = completion(usage, streamed=document.get("stream", False))
            head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body))
            await peer.send(head + body)

    with RawServer(script) as server:
        url = json.dumps(server.url)
        quota = "{counterKey: model, tokenQuota: 1000, tokenQuotaPeriod: Yearly, estimatePromptTokens: true}"
        system.apply(
            f"{{kind: Api, name: absurd, path: absurd, type: openai, backend: {{url: {url}}}, products: [starter], "
            f"tokenLimit: {quota}}}"
        )
        key = {"api-key": system.keys["team"]}
        wait_until(lambda: httpx2.get(f"{system.url}/absurd/models", headers=key).status_code == 200)
        with OpenAI(base_url=f"{system.url}/absurd", api_key=system.keys["team"], max_retries=0) as made:
            yield made


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_figures(system: System, absurd: OpenAI, name: str) -> None:
    """Are not believed: the tokens are counted here, whole or streamed, and so they are charged."""
    headers = {"x-request-id": f"absurd-whole-{name}"}
    absurd.chat.completions.create(model=name, messages=HELLO, extra_headers=headers)
    assert logged(system, f"absurd-whole-{name}") == (HELLO_TOKENS, 4)
    headers = {"x-request-id": f"absurd-streamed-{name}"}
    chunks = list(absurd.chat.completions.create(model=name, messages=HELLO, stream=True, extra_headers=headers))
    assert [bool(chunk.choices) for chunk in chunks] == [True]
    assert logged(system, f"absurd-streamed-{name}") == (HELLO_TOKENS, 4)
    wait_until(lambda: quota_used(system, f"model:{name}") == 2 * (HELLO_TOKENS + 4))
