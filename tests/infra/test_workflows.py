"""The workflows for GitHub: valid, without secrets, and about the files that are here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.bicep_file import INFRA, read
from tests.infra.package import files

ROOT = INFRA.parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
EVERY = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def workflow(name: str) -> dict[str, Any]:
    """One of them; YAML takes the key `on` for a truth value."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows" / name).read_text())
    return loaded


def scripts(name: str) -> str:
    """All that it runs."""
    jobs = workflow(name)["jobs"].values()
    return "\n".join(step.get("run", "") for job in jobs for step in job.get("steps", []))


def test_the_schema_of_github_takes_them() -> None:
    """Every key is one that GitHub knows."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*command, *map(str, WORKFLOWS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_schema_notices(tmp_path: Path) -> None:
    """A misspelt key is refused."""
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("on: push\njobs:\n  test:\n    runs-on: ubuntu-24.04\n    step: []\n")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(wrong)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


@EVERY
def test_no_workflow_knows_a_secret(path: Path) -> None:
    """Azure is reached with the repository's own tokens."""
    assert re.search(r"secrets\.\w|^ *secrets:", path.read_text(), flags=re.MULTILINE) is None


@EVERY
def test_only_jobs_that_sign_in_may_ask_for_a_token(path: Path) -> None:
    """A workflow may read; a job that signs in to Azure may also ask for a token of its own, and no other job may."""
    loaded = workflow(path.name)
    assert loaded["permissions"] == {"contents": "read"}
    for job in loaded["jobs"].values():
        signs_in = any(step.get("uses", "").startswith("azure/login@") for step in job.get("steps", []))
        assert job.get("permissions") == ({"contents": "read", "id-token": "write"} if signs_in else None)
        assert ("environment" in job) == signs_in


@EVERY
def test_every_job_ends(path: Path) -> None:
    """A job that hangs is paid for."""
    for job in workflow(path.name)["jobs"].values():
        assert "timeout-minutes" in job or job["uses"].startswith("./")


@EVERY
def test_what_comes_from_outside_is_no_script(path: Path) -> None:
    """`${{ }}` in a script is pasted before the shell reads it; values come by way of the environment."""
    assert "${{" not in scripts(path.name)


def test_the_order_is_test_then_show_then_deploy() -> None:
    """Nothing is deployed that was not tested, and shown."""
    jobs = workflow("deploy.yml")["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/test.yml"
    assert jobs["what-if"]["needs"] == "test"
    assert jobs["what-if"]["if"] == "vars.AZURE_CLIENT_ID != ''"
    assert jobs["deploy"]["needs"] == "what-if"
    assert jobs["deploy"]["environment"] == "production"


def test_what_is_shown_is_what_is_deployed() -> None:
    """The same template with the same parameters."""
    found = re.findall(
        r"az deployment group (what-if|create) --resource-group \"\$GROUP\" (?:--name gateway )?"
        r"--template-file (\S+) (?:\\\n\s*)?--parameters (\S+)",
        scripts("deploy.yml"),
    )
    assert found == [
        ("what-if", "infra/main.bicep", "$PARAMETERS"),
        ("create", "infra/main.bicep", "$PARAMETERS"),
    ]


def test_names_in_the_workflow_are_the_templates() -> None:
    """The outputs that it reads, and the parameter that it sets."""
    main = read(INFRA / "main.bicep")
    outputs = set(re.findall(r"--raw-output \.(\w+)\.value", scripts("deploy.yml")))
    assert outputs == {"gatewayApp", "gatewayUrl"}
    assert outputs <= set(main.output)
    parameters = re.findall(r"(\w+)=\$", workflow("deploy.yml")["env"]["PARAMETERS"])
    assert parameters == ["name"]
    assert set(parameters) <= set(main.param)


def test_the_package_is_the_one_that_is_tested() -> None:
    """The same files as by `.funcignore`, built by Azure."""
    (line,) = re.findall(r"^zip .*$", scripts("deploy.yml"), flags=re.MULTILINE)
    assert set(line.split()[4:]) == {name.partition("/")[0] for name in files()}
    assert "--src app.zip --build-remote true" in scripts("deploy.yml")


def test_the_test_is_the_one_that_is_run_here() -> None:
    """`.ci/run`, with the Python of the project."""
    jobs = workflow("test.yml")["jobs"]
    assert "bash .ci/run" in scripts("test.yml")
    (python,) = (step for step in jobs["test"]["steps"] if step.get("uses", "").startswith("actions/setup-python@"))
    assert python["with"] == {"python-version-file": ".python-version"}
    assert "az bicep build --file infra/main.bicep" in scripts("test.yml")
