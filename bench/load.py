"""Load by wrk: one call, repeated on so many connections, for so long or so many times."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.faults import BenchFailed
from bench.figures import Load
from local.processes import TIED

# Seconds; longer than any number of calls takes. The script ends the run when they are made.
NO_END = 3_600
NO_ANSWER = 30


@dataclass(frozen=True)
class Call:
    """The request that is repeated, the same for every target."""

    path: str
    headers: Mapping[str, str]
    body: str


def first_answer(port: int, call: Call) -> int:
    """Make a call once, on a connection of its own; the status of its answer, read to the end."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=NO_ANSWER)
    try:
        connection.request("POST", call.path, call.body.replace("{number}", "0"), dict(call.headers))
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def chat_call(key: str, country: str = "country {number}") -> Call:
    """A small chat completion, with the headers an SDK sends. Every target gets the key; only the gateway reads it."""
    messages = [
        {"role": "system", "content": "You are a helpful assistant. Answer in one sentence."},
        {"role": "user", "content": f"What is the capital of {country}?"},
    ]
    headers = {
        "Accept": "application/json",
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "User-Agent": "bench",
    }
    body = json.dumps({"model": "fixed", "messages": messages, "temperature": 0.2, "max_tokens": 64})
    return Call("/openai/chat/completions", headers, body)


def repeated_call(key: str) -> Call:
    """The same question every time, to the API with a cache."""
    return replace(chat_call(key, "France"), path="/cached/chat/completions")


def screened_call(key: str) -> Call:
    """The same question every time, to the API with content safety: its texts are known to be clean."""
    return replace(chat_call(key, "France"), path="/screened/chat/completions")


def long_call(key: str, path: str, run: str) -> Call:
    """A prompt of 200 words that nobody has sent before, if no other `run` has the same name."""
    return replace(chat_call(key, f"{WORDS} {run} {{number}}"), path=path)


def analyze_call(run: str) -> Call:
    """As `long_call`, right to the service that screens."""
    body = json.dumps({"text": f"{WORDS} {run} {{number}}", "categories": ["Hate", "SelfHarm", "Sexual", "Violence"]})
    return Call("/contentsafety/text:analyze?api-version=2024-09-01", {"Content-Type": "application/json"}, body)


def slow_call(key: str, milliseconds: int) -> Call:
    """To a backend that takes so long; no two the same, as in `chat_call`."""
    return replace(chat_call(key), path=f"/events/chat/completions?whole=1&milliseconds={milliseconds}")


# With the rest of the sentence these are 200.
WORDS = " ".join((("river", "harbour", "village", "morning", "winter") * 39)[:193])

# No two requests are quite the same: what a gateway remembers of the last ones must not flatter it.
REQUEST = """
local made = 0
request = function()
    made = made + 1
    return wrk.format(nil, nil, nil, (wrk.body:gsub("{number}", made, 1)))
end
"""

REPORT = """
done = function(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format('{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "errors": %d}\\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""

# wrk's main thread sleeps until its time is up, whatever the script does; the signal of Ctrl-C wakes it.
STOP = """
local ffi = require("ffi")
ffi.cdef("int getpid(void); int kill(int pid, int signal);")
local answered = 0
response = function()
    answered = answered + 1
    if answered == {requests} then ffi.C.kill(ffi.C.getpid(), 2) end
end
"""


def script(call: Call, requests: int | None = None) -> str:
    """The Lua program for wrk. With `requests` it stops after so many answers."""
    lines = ['wrk.method = "POST"', f"wrk.path = {_lua(call.path)}", f"wrk.body = {_lua(call.body)}"]
    lines += [f"wrk.headers[{_lua(name)}] = {_lua(value)}" for name, value in call.headers.items()]
    stop = STOP.format(requests=requests) if requests is not None else ""
    return "\n".join(lines) + "\n" + REQUEST + stop + REPORT


def _lua(text: str) -> str:
    # JSON's escapes are Lua's too, as long as the text is ASCII and has no control characters.
    return json.dumps(text)


def parse(output: str) -> Load:
    """What the script reported; wrk's own lines are passed over."""
    for line in output.splitlines():
        if line.startswith('{"requests"'):
            said = json.loads(line)
            return Load(
                requests=said["requests"],
                seconds=said["microseconds"] / 1e6,
                p50=said["p50"] / 1e3,
                p99=said["p99"] / 1e3,
                errors=said["errors"],
            )
    raise BenchFailed(f"wrk reported nothing; it said: {output.strip()[-500:]}")


class LoadGenerator:
    """wrk with one call. It uses one thread: the processors are for what is measured."""

    def __init__(self, program: str, folder: Path, call: Call) -> None:
        self._program = program
        self._file = folder / "call.lua"
        self._call = call

    def run(self, port: int, connections: int, seconds: int, call: Call | None = None) -> Load:
        """Load for so many seconds; with another call if the target needs one."""
        return self._run(port, connections, seconds, None, call)

    def send(self, port: int, connections: int, requests: int) -> Load:
        """So many requests, with a few more that were in flight at the end."""
        return self._run(port, connections, NO_END, requests)

    def _run(self, port: int, connections: int, seconds: int, requests: int | None, call: Call | None = None) -> Load:
        self._file.write_text(script(call or self._call, requests))
        options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(self._file)]
        command = [self._program, *options, f"http://127.0.0.1:{port}"]
        tied = [sys.executable, "-I", "-S", str(TIED), str(os.getpid()), str(int(signal.SIGKILL)), *command]
        done = subprocess.run(tied, capture_output=True, text=True, check=False)
        load = parse(done.stdout + done.stderr)
        if load.requests == 0:
            raise BenchFailed(f"no call was answered on port {port}")
        return load
