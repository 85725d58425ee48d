"""`make run` as a newcomer meets it: in a clone of its own, driven only by what it prints."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.azurite import free_port
from local.run import port_taken
from tests.local.make_run import MakeRun, clone_into, environment, pid_of, still_alive


@pytest.fixture
def starting(tmp_path: Path) -> Iterator[MakeRun]:
    """A first `make run` that has just been started, for the test to end."""
    run = MakeRun(clone_into(tmp_path / "clone"), free_port())
    yield run
    run.make_sure_it_is_gone()


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> MakeRun:
    """A first `make run` in a new clone, greeted and ended with Ctrl-C."""
    run = MakeRun(clone_into(tmp_path_factory.mktemp("newcomer") / "clone"), free_port())
    try:
        run.wait_until_greeted()
        run.end()
    finally:
        run.make_sure_it_is_gone()
    return run


@pytest.fixture(scope="module")
def running(first_run: MakeRun) -> Iterator[MakeRun]:
    """The second `make run` in the same clone, up and greeted."""
    run = MakeRun(first_run.clone, free_port())
    try:
        yield run.wait_until_greeted()
    finally:
        run.make_sure_it_is_gone()


def test_ctrl_c_stops_every_process(first_run: MakeRun) -> None:
    """Host, worker, Azurite and the stand-in model are gone, and it says so."""
    assert set(first_run.processes) == {"run", "host", "worker", "azurite", "model", "content safety"}
    assert still_alive(first_run) == []
    assert "Stopping host, content safety, model, azurite ..." in first_run.lines
    assert "Stopped." in first_run.lines


def test_a_second_start_takes_seconds_and_keeps_the_key(first_run: MakeRun, running: MakeRun) -> None:
    """Nothing is installed again, and the key a person has put into their program goes on working."""
    assert running.start_seconds < 10
    assert running.record["subscriptionKey"] == first_run.record["subscriptionKey"]
    assert running.record["chatPath"] == "/openai/chat/completions"
    assert running.record["url"] == f"http://127.0.0.1:{running.port}"


def test_the_printed_curl_works_as_printed(running: MakeRun) -> None:
    """Pasted into a shell it prints a chat completion."""
    done = subprocess.run(
        ["bash", "-c", running.printed("With curl:")], capture_output=True, text=True, check=True, env=environment()
    )
    answer = json.loads(done.stdout)
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"]


def test_the_printed_harmful_curl_is_refused(running: MakeRun) -> None:
    """With 403 and the reason, as the text above it says."""
    command = running.printed("Content safety refuses this one with 403:")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, env=environment())
    answer = json.loads(done.stdout)
    assert (answer["statusCode"], answer["error"]["code"]) == (403, "content_filter")
    assert answer["error"]["innererror"]["content_filter_result"]["violence"]["filtered"] is True


def test_the_printed_python_works_as_printed(running: MakeRun) -> None:
    """Given to the interpreter it names, it prints the model's words, through the official client."""
    done = subprocess.run(
        [running.clone / ".venv/bin/python", "-"],
        input=running.printed("With Python (start .venv/bin/python and paste):"),
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    assert done.stdout.strip()


def test_each_request_is_one_line(running: MakeRun) -> None:
    """A request shows up readable, and without its key."""
    subprocess.run(["bash", "-c", running.printed("With curl:")], capture_output=True, check=True, env=environment())
    line = running.wait_for(lambda text: "POST" in text and "openai" in text, 10)
    assert "  200  " in line
    assert "demo" in line
    assert running.record["subscriptionKey"] not in line


def test_files_with_keys_are_private(running: MakeRun) -> None:
    """run.json, the secret key and the settings for `func start` are readable by their owner only."""
    for name in (".local/run.json", ".local/secret-key", ".local/subscription-key", "local.settings.json"):
        assert stat.S_IMODE((running.clone / name).stat().st_mode) == 0o600


def test_the_command_line_finds_the_same_catalog(running: MakeRun) -> None:
    """Without any setting it finds the same catalog."""
    command = ".venv/bin/python -m gateway apis list --json"
    done = subprocess.run(
        ["bash", "-c", command], cwd=running.clone, capture_output=True, text=True, check=True, env=environment()
    )
    assert "openai" in done.stdout


def test_a_second_one_at_once_is_told_of_the_first(running: MakeRun) -> None:
    """Two would share one folder of data; the second says where the first is and how to end it."""
    second = MakeRun(running.clone, free_port())
    assert second.wait() != 0
    assert f"The gateway runs already at {running.record['url']}" in second.output


def test_a_taken_port_is_named_with_the_remedy(tmp_path: Path) -> None:
    """One sentence, and nothing is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = MakeRun(clone_into(tmp_path / "clone"), port)
        assert run.wait() != 0
    remedy = f"end that, or choose another port with `make run PORT={port + 1}`."
    assert run.lines[0] == f"Port {port} is taken by another program: {remedy}"
    assert all(line.startswith("make: ") for line in run.lines[1:])


def test_a_file_it_cannot_use_is_named(tmp_path: Path) -> None:
    """What somebody else has put in the place of its folder is said in a sentence, not in a traceback."""
    clone = clone_into(tmp_path / "clone")
    (clone / ".local").touch()
    run = MakeRun(clone, free_port())
    assert run.wait() != 0
    assert run.lines[0] == f"{clone}/.local cannot be used (File exists): make it yours, or remove it."
    assert all(line.startswith("make: ") for line in run.lines[1:])


def test_damaged_data_is_named_with_the_remedy(tmp_path: Path) -> None:
    """A disk that was full, or a power cut, may leave half a file."""
    clone = clone_into(tmp_path / "clone")
    tables = clone / ".local/azurite"
    tables.mkdir(parents=True)
    (tables / "__azurite_db_table__.json").write_text('{"filename":')
    run = MakeRun(clone, free_port())
    assert run.wait() != 0
    assert "JSON" in run.output
    assert f"If its data is damaged: delete {tables}, and `make run` makes it anew." in run.lines


def test_the_other_port_it_names_exists() -> None:
    """Above the highest port there is none."""
    assert "PORT=65534`" in port_taken(65_535)


def test_a_real_model_takes_the_place_of_the_stand_in(running: MakeRun, tmp_path: Path) -> None:
    """MODEL_URL and MODEL_KEY are used: here the other gateway plays the real model, and asks for its own key."""
    model = (
        f"MODEL_URL={running.record['url']}/openai",
        f"MODEL_KEY={running.record['subscriptionKey']}",
        "MODEL=mine",
    )
    run = MakeRun(clone_into(tmp_path / "clone"), free_port(), model)
    try:
        run.wait_until_greeted()
        done = subprocess.run(["bash", "-c", run.printed("With curl:")], capture_output=True, check=True)
        assert json.loads(done.stdout)["model"] == "mine"
        assert run.processes["model"] is None
        running.wait_for(lambda line: "POST" in line and "mine" in line, 10)
    finally:
        run.make_sure_it_is_gone()


def test_a_proxy_is_not_asked_for_what_is_on_this_machine(tmp_path: Path) -> None:
    """Where a proxy leads to the world, Azurite and the stand-in model are reached without it; here it is dead."""
    dead = f"http://127.0.0.1:{free_port()}"
    proxies = tuple(f"{name}={dead}" for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"))
    run = MakeRun(clone_into(tmp_path / "clone"), free_port(), proxies)
    try:
        run.wait_until_greeted()
        curl = run.printed("With curl:").replace("curl ", "curl --fail --silent ", 1)
        subprocess.run(["bash", "-c", curl], capture_output=True, check=True, env=environment())
    finally:
        run.make_sure_it_is_gone()


def test_a_kept_key_that_no_longer_works_is_replaced(tmp_path: Path) -> None:
    """Whoever regenerated the key elsewhere, or lost the data, is not greeted with a dead key."""
    clone = clone_into(tmp_path / "clone")
    for kept in (None, "gw_dead"):
        if kept is not None:
            (clone / ".local/subscription-key").write_text(kept)
        run = MakeRun(clone, free_port())
        try:
            run.wait_until_greeted()
            curl = run.printed("With curl:").replace("curl ", "curl --fail --silent ", 1)
            subprocess.run(["bash", "-c", curl], capture_output=True, check=True)
            assert run.record["subscriptionKey"] != kept
            run.end()
        finally:
            run.make_sure_it_is_gone()


def test_when_a_part_dies_everything_stops_and_says_which(starting: MakeRun) -> None:
    """A gateway without its storage is no gateway to try things on; run.json promises nothing any more."""
    starting.wait_until_greeted()
    azurite = pid_of(starting, "azurite")
    os.kill(azurite, signal.SIGKILL)
    assert starting.wait() != 0
    assert f"azurite (process {azurite}) ended with exit code -9" in starting.output
    assert still_alive(starting) == []
    assert not (starting.clone / ".local/run.json").exists()


def test_it_goes_on_when_nobody_reads_its_output(tmp_path: Path) -> None:
    """A program that reads the greeting and closes the pipe has a gateway that serves, and ends when told to."""
    clone = clone_into(tmp_path / "clone")
    run = MakeRun(clone, free_port())
    try:
        run.wait_until_greeted()
        curl = run.printed("With curl:").replace("curl ", "curl --fail --silent ", 1)
        run.stop_reading(curl)
        for _ in range(3):
            subprocess.run(["bash", "-c", curl], capture_output=True, check=True)
        run.end(signal.SIGTERM)
    finally:
        run.make_sure_it_is_gone()
    assert still_alive(run) == []


def test_nothing_is_left_when_run_itself_is_killed(starting: MakeRun) -> None:
    """Killed without a chance to clean up, it still leaves no process behind."""
    starting.wait_until_greeted()
    os.kill(pid_of(starting, "run"), signal.SIGKILL)
    starting.wait()
    deadline = time.monotonic() + 15
    while still_alive(starting) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert still_alive(starting) == []
