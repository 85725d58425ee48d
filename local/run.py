"""`make run`: Azurite, the stand-ins, the Functions host and worker with our app, and the example catalog."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import ExitStack
from functools import partial
from types import FrameType
from typing import Any, NoReturn

from local.azurite import Azurite, port_is_free, usual_port_if_free
from local.example import CHAT_PATH, Example
from local.health import is_ready
from local.options import HIGHEST_PORT, STAND_IN_KEY, RunFailed, RunOptions
from local.processes import REPOSITORY, Process, ProcessFailed
from local.screen import complain, greeting, readable, say
from local.state import State

HOST_PORT_TAKEN = 3
READY_SECONDS = 60.0
# The catalog names the setting even when a model asks for no key, and a setting that is missing would be a fault.
NO_KEY = "none"
MODEL_PORT = 10_012
SAFETY_PORT = 10_013
# The host gives calls in flight two seconds, then the worker fifteen to end.
STOP_SECONDS = 30.0


class Stopped(BaseException):
    """Somebody asked us to stop. Not an Exception, so that nothing on the way takes it for a failure."""


class Run:
    """Everything one `make run` starts. What is put on the stack is stopped in reverse order."""

    def __init__(self, options: RunOptions, state: State) -> None:
        self._options = options
        self._state = state
        self._stack = ExitStack()
        self._processes: dict[str, Process] = {}

    def serve(self) -> int:
        """Start everything and stay until told to stop (0) or until something fails (1)."""
        self._stack.callback(self._state.run_file.unlink, missing_ok=True)
        with self._stack:
            exit_code = self._until_the_end()
            ignore_signals()
            say(f"Stopping {', '.join(reversed(self._processes))} ...")
        say("Stopped.")
        return exit_code

    def _until_the_end(self) -> int:
        try:
            self._start()
            self._watch()
        except Stopped:
            return 0
        except (RunFailed, ProcessFailed) as error:
            complain(error)
            return 1

    def _start(self) -> None:
        stand_ins = "content safety" if self._options.model_url else "model and content safety"
        say(f"Starting Azurite and the stand-in {stand_ins} ...")
        azurite = Azurite(self._state.tables, usual_port_if_free())
        environment = self._environment(azurite)
        azurite.launch()
        self._keep("azurite", azurite.process)
        model_url = self._options.model_url or self._start_stand_in("model", MODEL_PORT, environment)
        safety_url = self._start_stand_in("content_safety", SAFETY_PORT, environment)
        try:
            azurite.wait_until_ready()
        except ProcessFailed as error:
            remedy = f"If its data is damaged: delete {self._state.tables}, and `make run` makes it anew."
            raise RunFailed(f"{error}\n{remedy}") from None

        say("Loading the example catalog from apis/ ...")
        example = Example(self._state, self._options, environment)
        example.load(model_url, safety_url)

        say("Starting the Functions host and worker ...")
        host = self._start_host(environment, example.request_id)
        self._wait_for_health()
        self._announce(host, example.working_key(self._options.port), model_url)

    def _environment(self, azurite: Azurite) -> dict[str, str]:
        """The app's settings, written for `func start` too, on top of this process's environment."""
        values = {
            "FUNCTIONS_WORKER_RUNTIME": "python",
            # The Core Tools need no storage of their own for HTTP functions, and Azurite's tables would not do.
            "AzureWebJobsStorage": "",
            "AzureWebJobsSecretStorageType": "files",
            "AzureWebJobsDisableHomepage": "true",
            "GATEWAY_TABLES": azurite.connection_string,
            "GATEWAY_SECRET_KEY": self._state.secret_key(),
            "MODEL_KEY": self._options.model_key or NO_KEY,
            "SAFETY_KEY": STAND_IN_KEY,
        }
        self._state.write_settings(values)
        direct = {name: without_proxy(os.environ.get(name, "")) for name in ("NO_PROXY", "no_proxy")}
        return {**self._state.own_values(), **os.environ, **values, **direct, "PYTHONUNBUFFERED": "1"}

    def _start_stand_in(self, module: str, usual_port: int, environment: dict[str, str]) -> str:
        # The same port each time, if it is to be had: an API that was imported against it finds it again.
        port = str(usual_port) if port_is_free(usual_port) else "0"
        command = [sys.executable, "-m", f"local.{module}", "--port", port, "--key", STAND_IN_KEY]
        name = module.replace("_", " ")
        stand_in = self._keep(name, Process(f"stand-in {name}", command, environment))
        stand_in.start()
        return str(json.loads(stand_in.wait_for_line(_is_object, READY_SECONDS))["url"])

    def _start_host(self, environment: dict[str, str], own_request: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "local.host", "--port", str(self._options.port)]
        show_line = partial(show, own_request=own_request)
        host = self._keep("host", Process("Functions host", command, environment, on_line=show_line))
        host.start()
        try:
            ready: dict[str, Any] = json.loads(host.wait_for_line(_is_ready, READY_SECONDS))
        except ProcessFailed:
            if host.returncode == HOST_PORT_TAKEN:
                raise RunFailed(port_taken(self._options.port)) from None
            raise
        return ready

    def _keep(self, name: str, process: Process | None) -> Process:
        if process is None:
            raise RuntimeError(f"{name} was not launched")
        self._processes[name] = process
        self._stack.callback(process.stop, STOP_SECONDS)
        return process

    def _wait_for_health(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not is_ready(self._options.port):
            self._check_all_run()
            if time.monotonic() > deadline:
                raise RunFailed(
                    f"The gateway was not ready to take calls after {READY_SECONDS:.0f} s; its log is above."
                )
            time.sleep(0.05)

    def _announce(self, host: dict[str, Any], key: str, model_url: str) -> None:
        url = f"http://127.0.0.1:{self._options.port}"
        pids: dict[str, int | None] = {name: process.pid for name, process in self._processes.items()}
        self._state.write_run_file(
            {
                "url": url,
                "chatPath": CHAT_PATH,
                "subscriptionKey": key,
                "processes": {"model": None, **pids, "worker": host["workerPid"], "run": os.getpid()},
            }
        )
        if not self._options.model_url:
            say(f"The stand-in model, for trying `import` too: {model_url} with the key {STAND_IN_KEY}")
        say(greeting(url, key, self._options.model))

    def _watch(self) -> NoReturn:
        while True:
            self._check_all_run()
            time.sleep(0.2)

    def _check_all_run(self) -> None:
        for process in self._processes.values():
            if process.returncode is not None:
                raise RunFailed(f"{process.describe_end()}\nNothing works without it, so everything stops.")


def main() -> int:
    """Run until stopped. 0 when a person stopped it, 1 when it could not run."""
    state = State(REPOSITORY)
    stop_on_signals()
    try:
        options = RunOptions.from_environment(os.environ)
        with state.only_one():
            if not port_is_free(options.port):
                raise RunFailed(port_taken(options.port))
            return Run(options, state).serve()
    except Stopped:
        return 0
    except RunFailed as error:
        complain(error)
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        # Such as the files of a `sudo make run`, which belong to root.
        complain(RunFailed(f"{error.filename} cannot be used ({error.strerror}): make it yours, or remove it."))
        return 1


def without_proxy(hosts: str) -> str:
    """NO_PROXY with this machine in it: a proxy that leads to the world does not lead back to Azurite."""
    return ",".join([*filter(None, [hosts]), "127.0.0.1", "localhost"])


def port_taken(port: int) -> str:
    """One sentence with the remedy."""
    other = port + 1 if port < HIGHEST_PORT else port - 1
    return f"Port {port} is taken by another program: end that, or choose another port with `make run PORT={other}`."


def stop_on_signals() -> None:
    """Ctrl-C, `kill`, and the terminal's end stop everything in order."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped

    # Scripts start programs in the background with SIGINT ignored; whoever sends one here still means it.
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    # nohup, on the other hand, asks to go on after the terminal has closed.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, stop)


def ignore_signals() -> None:
    """An impatient second Ctrl-C must not leave a process behind; stopping takes seconds at most."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def show(line: str, own_request: str) -> None:
    """Print a line of the worker's log, readable."""
    text = None if _is_ready(line) else readable(line, own_request)
    if text is not None:
        say(text)


def _is_object(line: str) -> bool:
    return line.startswith("{")


def _is_ready(line: str) -> bool:
    return line.startswith('{"url"')


if __name__ == "__main__":
    sys.exit(main())
