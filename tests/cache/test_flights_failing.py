"""What goes wrong goes wrong for the leader; followers ask by themselves as long as they can."""

import asyncio

import pytest

from gateway.cache.flights import FlightFailed, Flights
from gateway.call import close_body
from gateway.errors import CallerError, GatewayError, ProviderError
from tests.cache.upstream import KEY, Backend, Collector, Upstream, body_of, joined, read, rest_of
from tests.clock import settle


@pytest.mark.parametrize("error", [ProviderError("Timeout"), CallerError("InvalidHeader"), KeyError("a fault of ours")])
async def test_a_call_that_fails(flights: Flights, error: Exception) -> None:
    """The leader has the very error; each follower is told to ask by itself; nobody joins a failure."""
    backend, collector = Backend(error, waits=True), Collector()
    leader = asyncio.create_task(flights.begin(KEY, backend.fetch, collector).reply())
    followers = [asyncio.create_task(joined(flights).reply()) for _ in range(3)]
    await settle()
    backend.answers.set()
    outcomes = await asyncio.gather(leader, *followers, return_exceptions=True)
    assert outcomes[0] is error
    assert [type(outcome) for outcome in outcomes[1:]] == [FlightFailed] * 3
    assert (flights.join(KEY), collector.pieces, collector.ends) == (None, [], [False])


@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_an_answer_that_is_an_error(flights: Flights, upstream: Upstream, status: int) -> None:
    """It is the leader's alone, whole or in pieces: a quota of its own may be what the backend speaks of."""
    for body in (b"error", upstream):
        backend = Backend(body, status, waits=True)
        leader = asyncio.create_task(flights.begin(KEY, backend.fetch).reply())
        follower = asyncio.create_task(joined(flights).reply())
        await settle()
        backend.answers.set()
        reply = await leader
        assert reply.status == status
        with pytest.raises(FlightFailed):
            await follower
        assert flights.join(KEY) is None
    assert not isinstance(reply.body, bytes)
    upstream.send(b"error")
    upstream.end()
    assert await rest_of(reply.body) == [b"error"]


async def test_a_stream_that_breaks_off_before_its_first_piece(flights: Flights, upstream: Upstream) -> None:
    """Only then can a follower still ask by itself: that is why its reply waits for the first piece."""
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch))
    follower = asyncio.create_task(joined(flights).reply())
    await settle()
    assert not follower.done()
    error = ProviderError("BackendStreamInterrupted")
    upstream.end(error)
    with pytest.raises(FlightFailed):
        await follower
    with pytest.raises(ProviderError) as raised:
        await anext(leader)
    assert raised.value is error


async def test_a_stream_that_breaks_off_later(flights: Flights, upstream: Upstream) -> None:
    """Each has what came before, then an error of its own; one who was given nothing yet asks by itself."""
    collector = Collector()
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch, collector))
    upstream.send(b"a", b"b")
    follower = await body_of(joined(flights))
    behind = await body_of(joined(flights))
    waiting = joined(flights)
    error = ProviderError("Timeout", "The backend stopped.", headers={"retry-after": "1"})
    upstream.end(error)
    seen: list[GatewayError] = []
    for body in (leader, follower, behind):
        assert [await anext(body), await anext(body)] == [b"a", b"b"]
        with pytest.raises(ProviderError) as raised:
            await anext(body)
        seen.append(raised.value)
    assert seen[0] is error
    assert len(set(map(id, seen))) == 3
    assert {(each.code, each.status, each.body(), each.headers["retry-after"]) for each in seen} == {
        ("Timeout", 504, error.body(), "1")
    }
    with pytest.raises(FlightFailed):
        await waiting.reply()
    assert (collector.pieces, collector.ends) == ([b"a", b"b"], [False])


async def test_a_fault_of_ours_in_mid_stream(
    flights: Flights, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    """Followers are told no more than any caller is; if the leader has left, it is logged here."""
    leader = await body_of(flights.begin(KEY, Backend(upstream).fetch))
    upstream.send(b"a")
    follower = await body_of(joined(flights))
    await close_body(leader)
    upstream.end(KeyError("inside"))
    assert await anext(follower) == b"a"
    with pytest.raises(GatewayError) as raised:
        await anext(follower)
    assert raised.value.code == "InternalError"
    assert [record.message for record in caplog.records] == ["a shared call whose leader had left failed"]


class Failing(Collector):
    """A tee with a fault."""

    def __init__(self, *, on_end: bool) -> None:
        super().__init__()
        self._on_end = on_end

    def on_piece(self, piece: bytes) -> None:
        super().on_piece(piece)
        if not self._on_end:
            raise KeyError("a fault")

    def on_end(self, complete: bool) -> None:
        super().on_end(complete)
        raise KeyError("a fault")


@pytest.mark.parametrize("on_end", [True, False])
async def test_a_tee_that_fails(
    flights: Flights, upstream: Upstream, caplog: pytest.LogCaptureFixture, on_end: bool
) -> None:
    """Nobody's answer suffers; the log is told, without the answer; it is fed no more."""
    tee = Failing(on_end=on_end)
    upstream.send(b"secret", b"more")
    upstream.end()
    assert await read(flights.begin(KEY, Backend(upstream).fetch, tee)) == b"secretmore"
    assert (len(tee.pieces), tee.ends) == ((2, [True]) if on_end else (1, []))
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text


async def test_an_answer_that_cannot_be_closed(flights: Flights, caplog: pytest.LogCaptureFixture) -> None:
    """Everybody has it all the same."""

    class Stuck(Upstream):
        async def aclose(self) -> None:
            raise OSError("it does not close")

    stuck = Stuck()
    stuck.send(b"a")
    stuck.end()
    assert await read(flights.begin(KEY, Backend(stuck).fetch)) == b"a"
    await settle()
    assert "could not be closed: OSError" in caplog.text
