"""The package that is deployed, made from `.funcignore` and built as Azure builds it, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

from pathspec import GitIgnoreSpec

REPOSITORY = Path(__file__).parents[2]
SITE_PACKAGES = Path(".python_packages/lib/site-packages")
# What Azure's own image has beside the app: the worker. (uvloop and httptools are for the stand-in of the host.)
OF_THE_WORKER = ("azure-functions-runtime", "uvloop", "httptools")


def ignored() -> GitIgnoreSpec:
    """What `.funcignore` leaves out; its syntax is gitignore's."""
    return GitIgnoreSpec.from_lines((REPOSITORY / ".funcignore").read_text().splitlines())


def files() -> list[str]:
    """The files of the package: those of the working tree that git would keep, less the ignored ones."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    names = sorted(set(listed.stdout.splitlines()))
    spec = ignored()
    return [name for name in names if not spec.match_file(name) and (REPOSITORY / name).is_file()]


def make(archive: Path) -> None:
    """Zip the package."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as package:
        for name in files():
            package.write(REPOSITORY / name, name)


def install(target: Path, *what: str) -> None:
    """Install into a folder, as the remote build does."""
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-warn-script-location"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), *what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def pinned(name: str) -> str:
    """The requirement of a package, as one of our files has it."""
    lines = [(REPOSITORY / each).read_text() for each in ("requirements.txt", "requirements-dev.txt")]
    (found,) = [line for line in "\n".join(lines).splitlines() if line.startswith(f"{name}==")]
    return found


class Built:
    """An unpacked and built package, with a Python that has nothing else, and the stand-in of the host."""

    def __init__(self, folder: Path) -> None:
        self.app = folder / "wwwroot"
        self._tools = folder / "tools"
        self._worker = folder / "worker"
        archive = folder / "app.zip"
        make(archive)
        with zipfile.ZipFile(archive) as package:
            package.extractall(self.app)
        install(self.app / SITE_PACKAGES, "--requirement", str(self.app / "requirements.txt"))
        install(self._worker, "--no-deps", *(pinned(name) for name in OF_THE_WORKER))
        shutil.copytree(REPOSITORY / "local", self._tools / "local", ignore=shutil.ignore_patterns("__pycache__"))
        venv.create(folder / "python", with_pip=False, symlinks=True)
        self.python = str(folder / "python/bin/python")

    def environment(self, settings: dict[str, str]) -> dict[str, str]:
        """Of a process that may see the app's packages, the worker, and nothing of this repository."""
        path = [self.app / SITE_PACKAGES, self._worker, self._tools]
        return {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "PYTHONDONTWRITEBYTECODE": "1",
            **settings,
        }

    def command_line(self, settings: dict[str, str], *arguments: str, given: str = "") -> str:
        """What `python -m gateway` of the package prints."""
        done = subprocess.run(
            [self.python, "-m", "gateway", *arguments],
            cwd=self.app,
            env=self.environment(settings),
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
