"""Samples shared out among components."""

import pytest

from bench.profiling import AZURE, BACKENDS, GATEWAY_ITSELF, JSON, LOG, LOOP, OTHER, SHELL, WEB, component_of, share

LOOP_FRAMES = [
    ("main", "/app/local/worker.py"),
    ("BaseEventLoop._run_once", "/python/asyncio/base_events.py"),
    ("Handle._run", "/python/asyncio/events.py"),
]
READ = ("_SelectorSocketTransport._read_ready", "/python/asyncio/selector_events.py")
WRITE = ("_SelectorSocketTransport.write", "/python/asyncio/selector_events.py")
CASES = {
    "the loop itself": (LOOP_FRAMES[:2], LOOP),
    "a socket read by the loop": ([*LOOP_FRAMES, READ], LOOP),
    "the web server": ([*LOOP_FRAMES, READ, ("data_received", "/lib/uvicorn/protocols/x.py")], WEB),
    "a write counts for who writes": ([*LOOP_FRAMES, ("send", "/app/gateway/backends/connection.py"), WRITE], BACKENDS),
    "the gateway": ([*LOOP_FRAMES, ("handle", "/app/gateway/app.py"), ("match", "/python/re.py")], GATEWAY_ITSELF),
    "the gateway's part of the shell": ([*LOOP_FRAMES, ("x", "/app/gateway/web_extension.py")], WEB),
    "the worker's library": ([*LOOP_FRAMES, ("x", "/lib/azure_functions_runtime/handle_event.py")], AZURE),
    "the host's channel": ([*LOOP_FRAMES, ("invoke", "/app/local/worker.py")], SHELL),
    "JSON": ([*LOOP_FRAMES, ("x", "/app/gateway/call.py"), ("loads", "/python/json/__init__.py")], JSON),
    "JSON of the log is the log's": (
        [*LOOP_FRAMES, ("log", "/app/gateway/request_log.py"), ("encode", "/python/json/encoder.py")],
        LOG,
    ),
    "JSON of the host's channel is the channel's": (
        [*LOOP_FRAMES, READ, ("data_received", "/app/local/host_control.py"), ("loads", "/python/json/__init__.py")],
        SHELL,
    ),
    "another thread": ([("run", "/python/threading.py")], OTHER),
}


@pytest.mark.parametrize("case", CASES)
def test_component(case: str) -> None:
    """The innermost function of a component decides, as far out as the event loop."""
    frames, expected = CASES[case]
    assert component_of(frames) == expected


def test_samples_are_added_up() -> None:
    """py-spy writes a line for each different stack, with its count at the end."""
    head = "main (/app/local/worker.py:9);Handle._run (/python/asyncio/events.py:89)"
    profile = share(
        [f"{head};handle (/app/gateway/app.py:12) 3", f"{head};handle (/app/gateway/app.py:14) 2", f"{head} 5"]
    )
    assert profile.samples == 10
    assert profile.components == {GATEWAY_ITSELF: 5, LOOP: 5}
    assert profile.functions == {"handle (gateway/app.py)": 5, "Handle._run (asyncio/events.py)": 5}


def test_threads_that_wait_are_left_out() -> None:
    """They use no processor, whatever the sampler thinks."""
    waiting = "Thread.run (/python/threading.py:1);_worker (/python/concurrent/futures/thread.py:90) 70"
    assert share([waiting]).samples == 0
