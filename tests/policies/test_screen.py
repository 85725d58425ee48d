"""What is not clean gets no answer, and reaches no backend."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.backends.client import BackendClient
from gateway.backends.credentials import ManagedIdentity
from gateway.body import RequestBody
from gateway.call import Call, Reply
from gateway.catalog.content_safety import ContentSafety
from gateway.catalog.screenings import ResolvedScreening, Screenings
from gateway.catalog.snapshot import ResolvedBackend
from gateway.errors import CallerError, GatewayError, PolicyError, UnavailableError
from gateway.llm.tokens import Protocol
from gateway.pipeline import Next, compile_chain
from gateway.policies.screen import Screen
from gateway.policies.screen_answers import ScreenAnswers
from gateway.safety.screeners import Screeners
from local.content_safety import SafetyServer
from tests.policies.test_admit import entry, never_received


class Backend:
    """The innermost policy: counts what reaches it."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, call: Call, next: Next) -> Reply:
        self.asked += 1
        return Reply(200, [], b"{}")


class Early:
    """A cache that has the answer at once."""

    async def __call__(self, call: Call, next: Next) -> Reply:
        call.outcome.cached = True
        return Reply(200, [], b"{}")


class Setting:
    """A chain with screening, and calls to it."""

    def __init__(self, screeners: Screeners, url: str | None, **fields: Any) -> None:
        backend = {"url": url or "http://127.0.0.1:9"}
        written = {"backend": backend, "categories": {"Violence": 4}, "shieldPrompt": True, **fields}
        settings = ContentSafety.model_validate(written)
        assert not isinstance(settings.backend, str)
        resolved = ResolvedBackend("safety", settings.backend) if url else None
        self.backend = Backend()
        self.entry = replace(entry(), screenings=Screenings(ResolvedScreening(settings, resolved)))
        self.screeners = screeners

    def call(self, text: Any, protocol: Protocol | None = Protocol.CHAT) -> Call:
        call = Call("POST", "/", b"", [], RequestBody(never_received, None, False), "id")
        call.protocol = protocol
        call.document = {"messages": [{"role": "user", "content": text}]}
        return call

    async def run(self, call: Call, *between: Any) -> Reply:
        return await compile_chain([Screen(self.entry, self.screeners), *between, ScreenAnswers(), self.backend])(call)


@pytest.fixture
async def screeners() -> AsyncIterator[Screeners]:
    client = BackendClient(ManagedIdentity(None), 100)
    made = Screeners(client)
    yield made
    await made.aclose()
    await client.aclose()


@pytest.fixture
def open_safety() -> Any:
    """The stand-in without a key."""
    with SafetyServer() as running:
        yield running


async def refusal(setting: Setting, call: Call, *between: Any) -> GatewayError:
    with pytest.raises(GatewayError) as refused:
        await setting.run(call, *between)
    return refused.value


REVEALED: dict[str, Any] = {
    "none": None,
    "category": {"content_filter_result": {"violence": {"filtered": True}}},
    "severity": {"content_filter_result": {"violence": {"filtered": True, "severity": "high"}}},
}


@pytest.mark.parametrize("reveal", REVEALED)
async def test_a_violation_is_told_as_azure_openai_tells_its_own(
    screeners: Screeners, open_safety: SafetyServer, reveal: str
) -> None:
    """As far as `reveal` lets it, and the backend hears nothing of it, the first time and when it is known."""
    setting = Setting(screeners, open_safety.url, reveal=reveal)
    for _ in range(2):
        call = setting.call("a massacre")
        refused = await refusal(setting, call)
        assert isinstance(refused, PolicyError)
        body = json.loads(refused.body())
        assert (refused.status, body["statusCode"]) == (403, 403)
        assert body["error"].pop("innererror", None) == REVEALED[reveal]
        assert body["error"] == {
            "message": "Request failed content safety check.",
            "type": "invalid_request_error",
            "param": None,
            "code": "content_filter",
        }
        assert call.safety is not None
        assert call.safety.status == "blocked"
    assert setting.backend.asked == 0
    assert open_safety.texts() == {"a massacre": 1}


async def test_what_is_known_needs_no_task(screeners: Screeners, open_safety: SafetyServer) -> None:
    """The second time the call goes straight on."""
    setting = Setting(screeners, open_safety.url)
    statuses = []
    for _ in range(2):
        call = setting.call("Hello")
        assert (await setting.run(call)).status == 200
        assert call.safety is not None
        statuses.append((call.safety.status, call.screening is None))
    assert statuses == [("clean", False), ("known", True)]


async def test_an_early_answer_waits_for_the_screening(screeners: Screeners, open_safety: SafetyServer) -> None:
    """And is given up when the request is not clean."""
    setting = Setting(screeners, open_safety.url)
    call = setting.call("a massacre")
    assert (await refusal(setting, call, Early())).code == "content_filter"
    assert not call.outcome.cached


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:9"])
async def test_an_outage_blocks_or_lets_through_as_written(screeners: Screeners, url: str | None) -> None:
    """Whether nobody answers or the backend cannot be resolved."""
    blocking = Setting(screeners, url)
    refused = await refusal(blocking, blocking.call("Hello"))
    assert isinstance(refused, UnavailableError)
    assert (refused.status, refused.code, blocking.backend.asked) == (503, "content_safety_unavailable", 0)
    allowing = Setting(screeners, url, onError="allow")
    call = allowing.call("Hello")
    reply = await allowing.run(call)
    assert (b"x-content-safety", b"unavailable") in reply.headers
    assert call.safety is not None
    assert (call.safety.status, allowing.backend.asked) == ("unavailable", 1)


async def test_a_violation_goes_before_an_outage(screeners: Screeners, open_safety: SafetyServer) -> None:
    """Of the analysis, while the shield is out, though the policy is to allow."""
    setting = Setting(screeners, open_safety.url, onError="allow")
    open_safety.fail(operation="text:shieldPrompt", status=500, times=2)
    assert (await refusal(setting, setting.call("a massacre"))).code == "content_filter"


async def test_what_cannot_be_read_is_refused_or_let_through(screeners: Screeners, open_safety: SafetyServer) -> None:
    """A body that is there, and is no JSON object."""
    for on_error in ("block", "allow"):
        setting = Setting(screeners, open_safety.url, onError=on_error)
        call = setting.call("")
        call.document, call.content = None, b"\x00"
        if on_error == "block":
            refused = await refusal(setting, call)
            assert isinstance(refused, CallerError)
            assert refused.status == 400
        else:
            assert (await setting.run(call)).headers == [(b"x-content-safety", b"unavailable")]


async def test_images_block_if_they_are_to(screeners: Screeners, open_safety: SafetyServer) -> None:
    """Messages with only images are clean otherwise, and nothing is asked about them."""
    part = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,bWFzc2FjcmU="}}]
    skipping, analyzing, blocking = (
        Setting(screeners, open_safety.url, images=each) for each in ("skip", "analyze", "block")
    )
    assert (await skipping.run(skipping.call(part))).status == 200
    assert open_safety.asked("image:analyze") == []
    assert (await refusal(analyzing, analyzing.call(part))).code == "content_filter"
    assert (await refusal(blocking, blocking.call(part))).code == "content_filter"


async def test_a_caller_who_leaves_ends_the_screening(screeners: Screeners, open_safety: SafetyServer) -> None:
    """Nothing reaches the backend then, and no task is left."""
    setting = Setting(screeners, open_safety.url)
    open_safety.hold()
    call = setting.call("Hello")
    running = asyncio.create_task(setting.run(call))
    await asyncio.to_thread(open_safety.wait_for, lambda stats: stats["inFlight"] > 0)
    call.end()
    with pytest.raises(CallerError):
        await running
    open_safety.release()
    assert setting.backend.asked == 0
    assert call.screening is not None
    assert call.screening.cancelled()
