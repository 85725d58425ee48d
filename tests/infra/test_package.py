"""What is published is enough to run, and nothing else."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from cryptography.fernet import Fernet

from local.model import ModelServer
from local.processes import Process
from tests.infra.package import REPOSITORY, Built, files, ignored

CATALOG = """
kind: Api
name: openai
path: openai
type: openai
backend: {{url: "{url}", credentials: {{header: Authorization, value: "Bearer {{{{model-key}}}}"}}}}
---
kind: NamedValue
name: model-key
value: sk-of-the-backend
"""
STRAY = [
    ".azure/production/.env",
    ".env",
    ".git/config",
    ".github/workflows/deploy.yml",
    ".local/azurite/db.json",
    ".venv/bin/python",
    ".vscode/settings.json",
    "app.zip",
    "azure.yaml",
    "gateway/__pycache__/app.cpython-313.pyc",
    "infra/main.bicep",
    "local.settings.json",
    "node_modules/azurite/package.json",
    "tests/test_app.py",
]


def test_the_package_has_the_app_and_nothing_else() -> None:
    """Every file of the four, less what is written for people; no pattern hits a folder deep in the app."""
    wanted = {REPOSITORY / name for name in ("function_app.py", "host.json", "requirements.txt")}
    wanted |= {path for path in (REPOSITORY / "gateway").rglob("*") if path.is_file()}
    wanted = {path for path in wanted if path.suffix != ".md" and "__pycache__" not in path.parts}
    assert set(files()) == {str(path.relative_to(REPOSITORY)) for path in wanted}


@pytest.mark.parametrize("name", STRAY)
def test_what_lies_about_in_a_working_folder_is_not_published(name: str) -> None:
    """azd and the Core Tools walk the folder itself, and not what git knows."""
    assert ignored().match_file(name)


def test_what_was_built_here_may_be_published() -> None:
    """`func azure functionapp publish NAME --build local` puts the requirements into the package."""
    assert not ignored().match_file(".python_packages/lib/site-packages/pydantic/__init__.py")


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    """The stand-in model."""
    with ModelServer() as server:
        yield server


def test_the_published_package_answers_a_call(azurite: str, model: ModelServer, tmp_path: Path) -> None:
    """Unpacked elsewhere, built as Azure builds it, and run by a worker that sees nothing else."""
    built = Built(tmp_path)
    assert (
        subprocess.run([built.python, "-c", "import pydantic"], stderr=subprocess.DEVNULL, check=False).returncode == 1
    )
    settings = {"GATEWAY_TABLES": azurite, "GATEWAY_SECRET_KEY": Fernet.generate_key().decode()}
    built.command_line(settings, "apply", "-f", "-", given=CATALOG.format(url=model.url))
    created = json.loads(built.command_line(settings, "subscriptions", "create", "first", "--scope", "/apis", "--json"))
    command = [built.python, "-P", "-m", "local.host", "--port", "0", "--app", str(built.app)]
    lines: list[str] = []
    host = Process("host", command, built.environment(settings), lines.append)
    host.start()
    try:
        url = json.loads(host.wait_for_line(lambda line: line.startswith('{"url"'), 60))["url"]
        answer = httpx2.post(
            f"{url}/openai/chat/completions",
            headers={"api-key": created["primaryKey"]},
            json={"model": "stand-in", "messages": [{"role": "user", "content": "Hello"}]},
            timeout=30,
        )
    finally:
        host.stop()
    assert answer.status_code == 200, (answer.text, lines)
    assert answer.json()["choices"][0]["message"]["content"]
