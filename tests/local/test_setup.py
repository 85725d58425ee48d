"""local/setup.sh: what a newcomer hears when something is missing, and that nothing is done twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
NEEDED = ["local/setup.sh", ".python-version", "requirements.txt", "requirements-dev.txt", "package-lock.json"]
SYSTEM_TOOLS = ["bash", "cat", "cmp", "dirname", "env", "id", "mktemp", "rm"]
BASH = shutil.which("bash") or "bash"

OLD_NODE = "#!/bin/sh\necho v18.20.4\n"
NEW_NODE = "#!/bin/sh\necho v22.1.0\n"
SILENT_NODE = "#!/bin/sh\n"
FAILING_NODE = "#!/bin/sh\necho v22.1.0\necho 'node: cannot find its library' >&2\nexit 127\n"
OTHER_NODE = "#!/bin/sh\necho 'Welcome to node, the packet radio'\necho 'press ? for help'\n"
HUGE_NODE = "#!/bin/sh\necho v99999999999999999999.0.0\n"
OLD_PYTHON = "#!/bin/sh\necho 3.12\n"
FAILING_PYTHON = "#!/bin/sh\ncase $1 in -c) echo 3.13;; *) echo the disk is full; exit 9;; esac\n"
RIGHT_PYTHON = f'#!/bin/sh\nexec {sys.executable} "$@"\n'


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of what the script reads, with nothing installed."""
    for name in NEEDED:
        target = tmp_path / "clone" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, target)
    return tmp_path / "clone"


def run_setup(clone: Path, programs: Mapping[str, str], *arguments: str, **environment: str) -> tuple[int, str]:
    """Run the script where only a few system tools and these programs exist: its exit code and what it said."""
    folder = clone.parent / "bin"
    folder.mkdir(exist_ok=True)
    for tool in SYSTEM_TOOLS:
        path = shutil.which(tool)
        assert path is not None
        (folder / tool).symlink_to(path)
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    done = subprocess.run(
        [BASH, str(clone / "local/setup.sh"), *arguments],
        env={"PATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


MISSING = {
    "no Python": ({"node": NEW_NODE, "npm": NEW_NODE}, "Python 3.13 was not found: install it "),
    "an older Python": ({"python3": OLD_PYTHON, "node": NEW_NODE, "npm": NEW_NODE}, "Python 3.13 was not found"),
    "no Node": (
        {"python3.13": RIGHT_PYTHON},
        "Node was not found, and the local Table Storage needs it: install Node 20",
    ),
    "an older Node": ({"python3.13": RIGHT_PYTHON, "node": OLD_NODE, "npm": OLD_NODE}, "Node 18.20.4 is too old"),
    **{
        case: ({"python3.13": RIGHT_PYTHON, "node": node, "npm": NEW_NODE}, "The program `node` in PATH does not tell")
        for case, node in {
            "a Node without a version": SILENT_NODE,
            "a Node that cannot start": FAILING_NODE,
            "another program named node": OTHER_NODE,
            "a Node with a version beyond counting": HUGE_NODE,
        }.items()
    },
    "no npm": ({"python3": RIGHT_PYTHON, "node": NEW_NODE}, "npm was not found"),
}


@pytest.mark.parametrize("case", MISSING)
def test_says_in_one_sentence_what_is_missing(clone: Path, case: str) -> None:
    """A missing tool ends the set-up before anything is installed, with one line that says what to do."""
    programs, sentence = MISSING[case]
    exit_code, said = run_setup(clone, programs)
    assert exit_code == 1
    assert said.startswith(sentence)
    assert said.count("\n") == 1
    assert "install" in said
    assert not (clone / ".venv").exists()


def test_a_named_python_of_another_version_is_refused(clone: Path) -> None:
    """PYTHON= is taken at its word: the script does not look for another one behind a person's back."""
    programs = {"old": OLD_PYTHON, "python3.13": RIGHT_PYTHON, "node": NEW_NODE, "npm": NEW_NODE}
    exit_code, said = run_setup(clone, programs, PYTHON="old")
    assert exit_code == 1
    assert said.startswith("Python 3.13 was not found")


def test_a_named_python_may_have_a_space_in_its_path(clone: Path) -> None:
    """PYTHON= is one path, however it is written; what it installs with fails here on purpose."""
    programs = {"my python": FAILING_PYTHON, "node": NEW_NODE, "npm": NEW_NODE}
    exit_code, said = run_setup(clone, programs, PYTHON=str(clone.parent / "bin/my python"))
    assert exit_code == 1
    assert "the disk is full" in said


def test_a_failing_installation_shows_its_output_and_is_tried_again(clone: Path) -> None:
    """What an installer says is hidden while it works and shown when it fails; a half installation is not kept."""
    programs = {"python3.13": FAILING_PYTHON, "node": NEW_NODE, "npm": NEW_NODE}
    exit_code, said = run_setup(clone, programs)
    assert exit_code == 1
    assert "the disk is full" in said
    assert not (clone / ".venv/.installed-from").exists()


def test_does_nothing_when_nothing_changed(clone: Path) -> None:
    """With both stamps in place no program is started at all, not even Python or Node."""
    python = clone / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (clone / "node_modules").mkdir()
    wanted = [".python-version", "requirements.txt", "requirements-dev.txt"]
    (clone / ".venv/.installed-from").write_text("".join((clone / name).read_text() for name in wanted))
    shutil.copy(clone / "package-lock.json", clone / "node_modules/.installed-from")
    assert run_setup(clone, {}) == (0, "")


def test_bench_tools_names_the_packages_when_it_cannot_install_them(clone: Path) -> None:
    """Without nginx, wrk and apt-get, one sentence says what to install."""
    exit_code, said = run_setup(clone, {}, "bench-tools")
    assert exit_code == 1
    assert "nginx-light wrk" in said


def test_the_lock_file_names_no_registry() -> None:
    """The lock file pins versions and checksums, and works with any registry."""
    lock = (REPOSITORY / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') > 100


def test_make_lists_its_targets() -> None:
    """`make` alone shows what there is."""
    done = subprocess.run(["make"], cwd=REPOSITORY, capture_output=True, text=True, check=True, env=dict(os.environ))
    for target in ("setup", "run", "test", "lint", "bench", "clean"):
        assert f"make {target} " in done.stdout
