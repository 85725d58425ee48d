"""The command: what it takes, what it says, and that a run leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.__main__ import parse, parts_of, plan_of
from bench.plan import FULL, LONG_REQUESTS, QUICK
from local.processes import REPOSITORY

BENCH = [sys.executable, "-m", "bench"]


def test_help() -> None:
    """--help names every option, with examples."""
    done = subprocess.run([*BENCH, "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for option in ("--quick", "--only", "--profile", "--long", "--output", "--write-docs", "examples:"):
        assert option in done.stdout


PARTS = {
    "everything but the profile": (
        [],
        ["imports", "ledger", "memory", "start", "throughput", "limits", "hits", "safety", "streams", "storage"],
    ),
    "one part": (["--only", "memory"], ["memory"]),
    "two parts": (["--only", "memory", "--only", "streams"], ["memory", "streams"]),
    "a part and the profile": (["--only", "storage", "--profile"], ["storage", "profile"]),
    "the profile, said twice": (["--only", "profile", "--profile"], ["profile"]),
}


@pytest.mark.parametrize("case", PARTS)
def test_parts(case: str) -> None:
    """--only chooses, --profile adds."""
    arguments, expected = PARTS[case]
    assert parts_of(parse(arguments)) == expected


def test_plans() -> None:
    """A run is full unless --quick, and --long adds a million requests to either."""
    assert plan_of(parse([])) == FULL
    assert plan_of(parse(["--quick"])) == QUICK
    assert plan_of(parse(["--long"])).memory_requests == (10_000, 100_000, LONG_REQUESTS)


def test_the_document_takes_whole_runs_only(capsys: pytest.CaptureFixture[str]) -> None:
    """--write-docs with --only would put half a table into the document: wrong usage."""
    with pytest.raises(SystemExit) as ended:
        parse(["--only", "memory", "--write-docs"])
    assert ended.value.code == 2
    assert "without --only" in capsys.readouterr().err


def test_a_missing_tool_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    """One sentence with the remedy, and exit code 1."""
    done = subprocess.run(
        [*BENCH, "--only", "memory"],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.match(r"(nginx and wrk are|wrk is) needed to measure: install", done.stderr)
    assert "apt-get install nginx-light wrk" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_run_writes_both_files(tmp_path: Path) -> None:
    """A quick run through nginx, Azurite and the worker: calls and streams answered without error or loss."""
    command = [*BENCH, "--quick", "--only", "throughput", "--only", "streams", "--only", "storage"]
    done = subprocess.run(
        [*command, "--output", str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results.md").read_text() == f"# Results\n\n{done.stdout[:-1]}"
    figures = json.loads((tmp_path / "results.json").read_text())
    assert [sum(load["errors"] for load in series["loads"]) for series in figures["throughput"]] == [0] * 10
    assert [each["lost_events"] for each in figures["streams"]] == [0, 0, 0]
    assert all(sum(use["requests"].values()) < use["calls"] / 100 for use in figures["storage"])
    assert "imports" in figures
    assert figures["imports"] is None


def test_a_stopped_run_leaves_nothing_running(tmp_path: Path) -> None:
    """SIGINT in the middle of a measurement ends every process, and says so with exit code 130."""
    command = [*BENCH, "--only", "memory", "--output", str(tmp_path)]
    bench = subprocess.Popen(
        command, cwd=REPOSITORY, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE, text=True
    )
    assert bench.stderr is not None
    for line in bench.stderr:
        if "up to" in line:
            break
    started = descendants(bench.pid)
    assert len(started) >= 7
    bench.send_signal(signal.SIGINT)
    rest = bench.stderr.read()
    bench.stderr.close()
    assert bench.wait(60) == 130
    assert "stopped" in rest
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in started) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []
    assert list(tmp_path.iterdir()) == []


def descendants(pid: int) -> list[int]:
    """Every process below this one."""
    found = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in _children(task)]
    return [*found, *(each for child in found for each in descendants(child))]


def _children(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except FileNotFoundError:
        return []
