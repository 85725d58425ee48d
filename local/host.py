"""Plays the Azure Functions host for a Python function app, on this machine.

It runs the app in the real Python worker and sends it HTTP requests the way the host does: routes and methods from the
functions' own metadata, one invocation for every request, the request itself streamed to the app's web extension and
the answer streamed back. Any app of the Python v2 model that uses a web extension on azurefunctions-extensions-base
runs in it.

When calls can be made it prints one line of JSON to standard output: {"url": ..., "pid": ..., "workerPid": ...}.
Everything else goes to standard error. SIGINT and SIGTERM stop it: no more requests are taken, calls in flight have two
seconds before the worker is told to stop too, and then as long as the worker gives them; they stay connected meanwhile,
so that the app can tell them how they end. A second signal stops at once.

Exit codes: 0 stopped by a signal, 1 the app cannot be started, 2 wrong usage, 3 the port is taken.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import json
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import uvloop

from local.host_caller import CallerConnection
from local.host_control import ControlLine
from local.host_front import Front
from local.host_log import log
from local.host_process import WorkerFailed, WorkerProcess
from local.host_routes import RouteError, RouteTable, build_routes, read_route_prefix

PORT_TAKEN = 3
# Seconds for calls in flight before the worker hears of the end; those that last longer are the worker's to end.
DRAIN = 2.0
# Seconds for the last bytes on their way to callers once the worker is gone.
LAST_BYTES = 1.0
BACKLOG = 4096


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    if not (options.app / "function_app.py").exists():
        log(f"there is no function_app.py in {options.app}")
        return 1
    try:
        _take_settings(options.settings)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        log(f"the Values in {options.settings} cannot be read")
        return 1
    _allow_many_connections()
    try:
        listener = _bind(options.host, options.port)
    except OSError as error:
        log(f"cannot listen on {options.host}:{options.port}: {error.strerror}")
        return PORT_TAKEN if error.errno == errno.EADDRINUSE else 1
    return uvloop.run(_run(options, listener))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.host", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=7071, help="port to listen on; 0 takes a free one (default: 7071)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--app", type=Path, default=Path.cwd(), help="directory of function_app.py and host.json (default: this one)"
    )
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="take the app's settings from the Values in this file too, such as local.settings.json",
    )
    parser.add_argument(
        "--function-key",
        action="append",
        default=[],
        metavar="KEY",
        help="a key for functions of level function or admin, in x-functions-key or ?code=; may be repeated",
    )
    parser.add_argument(
        "--first-byte-timeout",
        type=float,
        default=230.0,
        metavar="SECONDS",
        help="answer 502 when a function has not begun to answer by then (default: 230, as in Azure)",
    )
    options = parser.parse_args(arguments)
    options.app = options.app.resolve()
    if options.first_byte_timeout <= 0:
        parser.error("--first-byte-timeout must be more than 0")
    return options


def _take_settings(file: Path | None) -> None:
    """What is in the environment already goes before the file, as in the Core Tools."""
    values = json.loads(file.read_text())["Values"] if file else {}
    if not all(isinstance(value, str) for value in values.values()):
        raise TypeError("settings are texts")
    for name, value in values.items():
        os.environ.setdefault(name, value)


def _allow_many_connections() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _bind(host: str, port: int) -> socket.socket:
    """Listens before the worker is started, so that a taken port is known at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns off Nagle's algorithm on the connections it accepts.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


async def _run(options: argparse.Namespace, listener: socket.socket) -> int:
    loop = asyncio.get_running_loop()
    stop, hurry = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: hurry.set() if stop.is_set() else stop.set())
    front = Front(options.function_key, options.first_byte_timeout)

    def on_ready(control: ControlLine, port: int, functions: Any) -> None:
        routes = build_routes(functions, read_route_prefix(options.app))
        _say_what_is_not_served(functions, routes, options.function_key)
        front.use_worker(control, port, routes)

    worker = WorkerProcess(options.app, on_ready, front.lose_worker)
    try:
        return await _serve(options, listener, front, worker, stop, hurry)
    except (WorkerFailed, RouteError) as failure:
        log(str(failure))
        return 1
    finally:
        listener.close()
        await worker.stop(hurry)


async def _serve(
    options: argparse.Namespace,
    listener: socket.socket,
    front: Front,
    worker: WorkerProcess,
    stop: asyncio.Event,
    hurry: asyncio.Event,
) -> int:
    stopped = asyncio.create_task(stop.wait())
    if not await _finished(worker.start(), stopped):
        return 0
    server = await asyncio.get_running_loop().create_server(lambda: CallerConnection(front), sock=listener)
    url = f"http://{_authority(options.host, listener.getsockname()[1])}"
    print(json.dumps({"url": url, "pid": os.getpid(), "workerPid": worker.pid}), flush=True)
    await _finished(worker.keep_running(), stopped)
    log("stopping")
    server.close()
    hurried = asyncio.create_task(hurry.wait())
    await _finished(front.drain(DRAIN), hurried)
    hurried.cancel()
    await worker.stop(hurry)
    await front.drain(LAST_BYTES)
    front.close()
    return 0


def _say_what_is_not_served(functions: Any, routes: RouteTable, keys: list[str]) -> None:
    served = {function.identifier for function in routes.functions}
    for function in functions:
        if function["id"] not in served:
            log(f"function {function['name']} has no HTTP trigger and is never called here")
    for function in routes.functions:
        if function.level != "anonymous" and not keys:
            log(f"function {function.name} needs a key and there is none: start with --function-key to call it")


async def _finished(work: Any, interruption: asyncio.Task[Any]) -> bool:
    """Runs `work` until it ends or is interrupted; says which. What `work` raises is raised."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task, interruption}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
        return True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
