"""The answer of a caller who has left is read to its usage, within bounds, and somebody is told exactly once."""

import asyncio
import gc
from functools import partial

import pytest

from gateway.call import Call
from gateway.errors import PolicyError
from gateway.llm.answer_reader import AnswerReader
from gateway.llm.tokenizer import Tokenizer
from gateway.llm.usage import Usage
from gateway.policies.drain import WAITING_BYTES, DrainingBody, Drains
from tests.clock import settle
from tests.objects import Since
from tests.policies.measured import (
    USAGE,
    chunk,
    whole,
)
from tests.policies.served import BEGINNING, DELIVERED, JSON, REST, answering, framed, leave, serving, telling, until
from tests.test_response import Body


async def test_the_answer_is_read_to_its_usage(tokenizer: Tokenizer) -> None:
    """The call ends at once with what was delivered; the backend is heard out, and its connection stays good."""
    drains = Drains()
    async with serving(tokenizer, drains, telling()) as (served, sending):
        await leave(served, sending)
        assert (served.body.is_draining, len(drains), served.done) == (True, 1, [])
        assert (served.call.usage, served.call.usage_counted) == (DELIVERED, True)
        assert served.call.outcome.aborted
        served.server.tell("go on")
        assert await served.told() == [Usage(11, 12)]
        assert len(drains) == 0
        assert not served.server.flag("closed").is_set()
        assert served.caller.body == BEGINNING


async def test_a_whole_answer_too(tokenizer: Tokenizer) -> None:
    """Of JSON in pieces the end is waited for just the same."""
    answer = whole({"prompt_tokens": 5, "completion_tokens": 2})
    async with serving(tokenizer, Drains(), telling(answer[:30], answer[30:], JSON)) as (served, sending):
        await leave(served, sending)
        served.server.tell("go on")
        assert await served.told() == [Usage(5, 2)]


@pytest.mark.parametrize("point", range(1, len(BEGINNING + REST), 20))
async def test_wherever_the_caller_leaves(tokenizer: Tokenizer, point: int) -> None:
    """Within an event too: what had come of it is not lost."""
    stream = BEGINNING + REST
    async with answering(tokenizer, Drains(), telling(stream[:point], stream[point:])) as (served, _):
        assert served.call.reader is not None
        served.call.reader.of_events().feed(await anext(served.body))
        await served.body.aclose()
        assert served.body.is_draining
        served.server.tell("go on")
        assert await served.told() == [Usage(11, 12)]


async def test_a_backend_that_breaks_off_has_told_nothing(tokenizer: Tokenizer) -> None:
    """What was delivered has to do then."""
    async with serving(tokenizer, Drains(), telling(rest=chunk("x"), end=b"")) as (served, sending):
        await leave(served, sending)
        served.server.tell("go on")
        assert await served.told() == [None]


async def test_the_time_for_it_ends(tokenizer: Tokenizer) -> None:
    """The backend is told to stop then."""
    async with serving(tokenizer, Drains(seconds=0.05), telling()) as (served, sending):
        await leave(served, sending)
        assert await served.told() == [None]
        await served.server.told("closed")


async def test_the_backends_own_time_ends(tokenizer: Tokenizer) -> None:
    """Its silence is a timeout, as for a caller who is there."""
    async with answering(tokenizer, Drains(), telling(), "timeouts: {betweenChunks: 0.3}") as (served, _):
        await anext(served.body)
        await served.body.aclose()
        assert await served.told() == [None]
        await served.server.told("closed")


async def test_there_are_not_more_than_so_many(tokenizer: Tokenizer) -> None:
    """The next one's backend is told to stop at once, and nothing is told: the call's end has said all there is."""
    async with serving(tokenizer, Drains(most=0), telling()) as (served, sending):
        await leave(served, sending)
        await served.server.told("closed")
        assert (served.body.is_draining, served.done, served.call.usage) == (False, [], DELIVERED)


async def test_the_process_stops(tokenizer: Tokenizer) -> None:
    """Every drain ends, and says that it knows nothing; there are no new ones."""
    drains = Drains()
    async with serving(tokenizer, drains, telling()) as (served, sending):
        await leave(served, sending)
        await drains.aclose()
        assert served.done == [None]
        await served.server.told("closed")
    async with serving(tokenizer, drains, telling()) as (served, sending):
        await leave(served, sending)
        assert not served.body.is_draining


async def test_a_caller_who_stays_needs_no_drain(tokenizer: Tokenizer) -> None:
    """It gets every byte but the hidden event's, and nothing is told."""
    async with serving(tokenizer, Drains(), telling()) as (served, sending):
        served.server.tell("go on")
        await asyncio.wait_for(asyncio.shield(sending), 5)
        assert (served.caller.body, served.done) == (BEGINNING + REST.replace(USAGE, b""), [])
        assert (served.call.usage, served.call.usage_counted, served.body.is_draining) == (Usage(11, 12), False, False)


async def test_a_backend_that_breaks_off_breaks_the_answer_off(tokenizer: Tokenizer) -> None:
    """As without the task between them."""
    async with serving(tokenizer, Drains(), telling(rest=chunk("x"), end=b"")) as (served, sending):
        served.server.tell("go on")
        await asyncio.wait_for(asyncio.shield(sending), 5)
        assert served.caller.body.startswith(BEGINNING)
        assert (served.call.outcome.code, served.done) == ("BackendStreamInterrupted", [])


async def test_what_has_come_already_needs_no_drain(tokenizer: Tokenizer) -> None:
    """A caller that is slower than its backend leaves: the usage is here, only not yet read."""
    async with serving(tokenizer, Drains(), telling()) as (served, sending):
        served.caller.accepts.clear()
        served.server.tell("go on")
        await until(lambda: served.body._is_over)
        await leave(served, sending)
        assert (served.call.usage, served.body.is_draining, served.done) == (Usage(11, 12), False, [])


@pytest.mark.parametrize("is_whole", [True, False], ids=["all of it", "a part"])
async def test_what_waits_is_read_first(is_whole: bool) -> None:
    """Several pieces have come that the caller has not taken; the backend's answer is closed when it is over."""
    reader = AnswerReader(len)
    reader.of_events()
    done: list[Usage | None] = []
    pieces = Body(BEGINNING, REST[:50], REST[50:], *([] if is_whole else [0.05]))
    body = DrainingBody(pieces, reader, Drains(), done.append)
    await anext(body)
    await settle()
    await body.aclose()
    assert (body.is_draining, reader.usage) == (not is_whole, Usage(11, 12))
    await until(lambda: pieces.closed)
    await settle()
    assert done == ([] if is_whole else [Usage(11, 12)])


async def test_a_stream_that_was_cut_is_not_drained(tokenizer: Tokenizer) -> None:
    """The limit is reached: the backend is to stop."""

    def refuse(text: str) -> None:
        raise PolicyError("SubscriptionKeyInvalid")

    async with serving(tokenizer, Drains(), telling()) as (served, sending):
        assert served.call.reader is not None
        served.call.reader.of_events().on_text = refuse
        served.server.tell("go on")
        await asyncio.wait_for(asyncio.shield(sending), 5)
        assert (served.body.is_draining, served.done, served.call.usage) == (False, [], DELIVERED)


async def test_a_slow_caller_holds_the_backend_up(tokenizer: Tokenizer) -> None:
    """What waits for it is bounded."""
    much = framed(chunk("x" * 60_000)) * 400
    async with serving(tokenizer, Drains(), telling(rest=b": \n\n", end=much)) as (served, _):
        served.caller.accepts.clear()
        served.server.tell("go on")
        await until(lambda: served.body._waiting_bytes > WAITING_BYTES)
        await asyncio.sleep(0.1)
        assert not served.server.flag("sent").is_set()
        assert served.body._waiting_bytes < 4 * WAITING_BYTES


async def test_a_failure_behind_a_drain_is_logged(tokenizer: Tokenizer, caplog: pytest.LogCaptureFixture) -> None:
    """It takes nothing else along."""
    async with serving(tokenizer, Drains(), telling()) as (served, sending):

        def broken(usage: Usage | None) -> None:
            served.on_done(usage)
            raise ZeroDivisionError("a bug")

        served.body._on_done = broken
        await leave(served, sending)
        served.server.tell("go on")
        assert await served.told() == [Usage(11, 12)]
    assert "a bug" in caplog.text


def _is_empty(drains: Drains) -> bool:
    return len(drains) == 0


async def test_nothing_stays_behind(tokenizer: Tokenizer) -> None:
    """Neither after a drain nor after one that was cancelled, without the collector."""
    made = Since(Call, DrainingBody)
    gc.disable()
    try:
        for drains in (Drains(), Drains(seconds=0.01), Drains(most=0)):
            async with serving(tokenizer, drains, telling()) as (served, sending):
                await leave(served, sending)
                served.server.tell("go on")
                await until(partial(_is_empty, drains))
            del served, sending
            await asyncio.sleep(0.01)
            assert made.left == []
    finally:
        gc.enable()
