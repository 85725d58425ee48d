"""Requests that met a dead connection: sent again when that is safe, by ours only."""

import asyncio

import httpx2
import pytest

from tests.backends.exchanges import OK, fetch, get, pieces, post
from tests.backends.raw_server import Peer


def dies_on_second_request(how: str, first_bytes: bytes = b""):
    """The first connection answers once and dies when it is asked again; the others answer."""

    async def script(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.request()
        if peer.number > 1:
            await peer.send(OK)
            return
        if first_bytes:
            await peer.send(first_bytes)
        if how == "reset":
            peer.reset()

    return script


@pytest.mark.parametrize("how", ["closed", "reset"])
@pytest.mark.parametrize("content", [None, b"content"], ids=["no body", "bytes"])
async def test_a_request_that_met_a_dead_connection_is_sent_again(ours, serve, how, content):
    """Closed before any byte came back, on a connection used before: a fresh one is tried; httpx2 gives up."""
    server = serve(dies_on_second_request(how))
    for _ in range(2):
        assert (await fetch(ours, post(server.url, content)))[1] == b"ok"
    assert server.connections == 2
    assert [request.body for request in server.requests] == [content or b""] * 3


async def test_a_streamed_request_is_not_sent_again(ours, serve):
    """A body that was taken from its source cannot be sent a second time."""
    server = serve(dies_on_second_request("closed"))
    await fetch(ours, get(server.url))
    with pytest.raises(httpx2.RemoteProtocolError):
        await fetch(ours, post(server.url, pieces([b"a"])))
    assert server.connections == 1


async def test_a_request_that_got_a_byte_is_not_sent_again(ours, serve):
    """A server that began to answer has seen the request."""
    server = serve(dies_on_second_request("closed", b"H"))
    await fetch(ours, get(server.url))
    with pytest.raises(httpx2.RemoteProtocolError):
        await fetch(ours, get(server.url))
    assert server.connections == 1


async def test_a_request_that_timed_out_is_not_sent_again(ours, serve):
    """A silent server is not a dead connection."""

    async def script(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.until_closed()

    server = serve(script)
    await fetch(ours, get(server.url))
    with pytest.raises(httpx2.ReadTimeout):
        await fetch(ours, get(server.url, read=0.05))
    assert server.connections == 1


async def test_a_request_is_sent_again_only_once(ours, serve):
    """The second try is on a fresh connection although others are idle, and it is the last."""

    async def script(peer: Peer) -> None:
        if peer.number > 3:
            await peer.request()
            return
        await peer.request()
        if not peer.server.flag("warm").is_set():
            peer.server.tell(f"waiting {peer.number}")
            await peer.told("warm")
        await peer.send(OK)
        await peer.request()

    server = serve(script)
    tasks = [asyncio.create_task(fetch(ours, get(server.url))) for _ in range(3)]
    for number in (1, 2, 3):
        await server.told(f"waiting {number}")
    server.tell("warm")
    await asyncio.gather(*tasks)
    with pytest.raises(httpx2.RemoteProtocolError):
        await fetch(ours, get(server.url))
    assert server.connections == 4
    assert len(server.requests) == 5


async def test_a_fresh_connection_takes_the_place_of_an_idle_one(make_ours, serve):
    """The second try does not fail for want of a place when the others are idle."""

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number <= 2 and not peer.server.flag("warm").is_set():
            peer.server.tell(f"waiting {peer.number}")
            await peer.told("warm")
        await peer.send(OK)
        await peer.request()

    server = serve(script)
    ours = make_ours(max_connections=2)
    tasks = [asyncio.create_task(fetch(ours, get(server.url))) for _ in range(2)]
    for number in (1, 2):
        await server.told(f"waiting {number}")
    server.tell("warm")
    await asyncio.gather(*tasks)
    assert (await fetch(ours, get(server.url, pool=0.5)))[1] == b"ok"
    assert server.connections == 3
