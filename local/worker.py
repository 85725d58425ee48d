"""The worker process: the real Python worker of Azure Functions, with one function app in it.

`azure-functions-runtime` is the worker's own library, which in Azure runs inside a small gRPC program. This is that
program's stand-in: it asks the library to index the app and start the web server, reports the functions to the host,
and from then on passes every invocation to it. Started by `local.host`; not meant to be run by hand.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local import host_protos as protos
from local.host_control import FAILED, INVOKE, READY, ControlLine

# Seconds the worker has to stop by itself once the host is gone.
ORPHAN_GRACE = 15

logger = logging.getLogger("local.worker")


class StartFailed(Exception):
    """The app cannot be served; the message is for the person who wrote it."""


class Worker:
    """Speaks to the worker's library as the host would."""

    def __init__(self, app: Path) -> None:
        import azure_functions_runtime as runtime  # type: ignore[import-untyped]

        self._runtime = runtime
        self._app = app
        self._loop = asyncio.get_running_loop()
        self._triggers: dict[str, str] = {}
        self._invocations: set[asyncio.Task[Any]] = set()

    async def start(self) -> tuple[int, list[dict[str, Any]]]:
        """The web server's port and the functions, as the host wants to know them."""
        self._runtime.start_threadpool_executor()
        init = protos.Message(capabilities={}, function_app_directory=str(self._app))
        response = await self._runtime.worker_init_request(self._request(worker_init_request=init))
        self._check(response)
        address = response.capabilities.get("HttpUri")
        if address is None:
            raise StartFailed("the app uses no web extension, and this host serves requests through one only")
        metadata = await self._runtime.functions_metadata_request(self._request())
        self._check(metadata)
        functions = metadata.function_metadata_results or []
        for function in functions:
            load = protos.Message(function_id=function.function_id)
            self._check(await self._runtime.function_load_request(self._request(function_load_request=load)))
            self._remember_trigger(function)
        port = urlsplit(address).port
        assert port is not None
        await _until_listening(port)
        return port, [{"id": f.function_id, "name": f.name, "bindings": list(f.raw_bindings)} for f in functions]

    def invoke(self, invocation: str, function: str, params: dict[str, str], parent: str, state: str) -> None:
        data = protos.TypedData(protos.RpcHttp(params))
        trace_id = invocation.replace("-", "")
        request = protos.InvocationRequest(
            invocation_id=invocation,
            function_id=function,
            input_data=(protos.ParameterBinding(self._triggers[function], data),),
            trace_context=protos.TraceContext(parent or f"00-{trace_id}-{trace_id[-16:]}-00", state, {}),
        )
        envelope = protos.WorkerRequest(protos.InvocationEnvelope(request), {})
        task = self._loop.create_task(self._runtime.invocation_request(envelope))
        self._invocations.add(task)
        task.add_done_callback(self._invoked)

    def _invoked(self, task: asyncio.Task[Any]) -> None:
        self._invocations.discard(task)
        if task.cancelled():
            # The library lets a cancellation pass, and the web server then waits for an answer that never comes.
            logger.error("a function let a CancelledError escape; its caller will get no answer")
        elif task.exception() is not None:
            logger.error("an invocation failed in the worker itself", exc_info=task.exception())
        elif task.result().result.status == protos.StatusResult.Failure:
            logger.error("a function failed: %s", task.result().result.exception.stack_trace.rstrip())

    def _remember_trigger(self, function: Any) -> None:
        for name, binding in function.bindings.items():
            if binding.type.lower() == "httptrigger":
                self._triggers[function.function_id] = name

    def _request(self, **message: Any) -> protos.WorkerRequest:
        return protos.WorkerRequest(protos.Message(**message), {"host": "127.0.0.1", "protos": protos})

    def _check(self, response: Any) -> None:
        if response.result.status != protos.StatusResult.Success:
            raise StartFailed(response.result.exception.stack_trace.rstrip())


async def _until_listening(port: int) -> None:
    """The library starts the web server in the background and does not say when it takes connections."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        await writer.wait_closed()
        return


async def serve(app: Path, control_socket: socket.socket) -> int:
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()
    worker = Worker(app)

    def on_message(message: list[Any]) -> None:
        kind, *details = message
        if kind == INVOKE:
            worker.invoke(*details)

    _, control = await loop.create_connection(lambda: ControlLine(on_message, closed.set), sock=control_socket)
    try:
        control.send(READY, *await worker.start())
    except StartFailed as failure:
        control.send(FAILED, str(failure))
        await asyncio.sleep(0)
        control.close()
        await closed.wait()
        return 1
    await closed.wait()
    # The web server has taken SIGTERM over: it stops gracefully and then lets the signal end the process.
    signal.raise_signal(signal.SIGTERM)
    await asyncio.sleep(ORPHAN_GRACE)
    return 1


def end_with_host() -> None:
    """Standard input is a pipe that only the host holds open: when it ends, so does this process, whatever it is at."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(ORPHAN_GRACE)
    os._exit(1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.worker", description=__doc__)
    parser.add_argument("--app", required=True, type=Path, help="directory of function_app.py and host.json")
    parser.add_argument("--control", required=True, type=int, help="file descriptor of the line to the host")
    options = parser.parse_args()
    sys.path.insert(0, str(options.app))
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("azure.functions").setLevel(logging.WARNING)
    threading.Thread(target=end_with_host, daemon=True).start()
    return asyncio.run(serve(options.app, socket.socket(fileno=options.control)))


if __name__ == "__main__":
    sys.exit(main())
