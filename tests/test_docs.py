"""The documents and the code say the same."""

import re
from dataclasses import fields
from pathlib import Path

from gateway.errors import CODES
from gateway.settings import Settings

ROOT = Path(__file__).parents[1]
GROUPS = {
    "caller": "The caller's fault",
    "policy": "A policy refuses",
    "provider": "The provider's fault",
    "gateway": "The gateway's fault",
}


def _rows(text: str) -> dict[str, list[str]]:
    rows = re.findall(r"^\| `([A-Za-z_]+)` \| (.+) \|$", text, flags=re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in rows}


def test_every_error_code_is_documented_under_its_fault() -> None:
    """docs/errors.md and errors.CODES have the same codes, with the same status, in the same groups."""
    sections = re.split(r"^## ", (ROOT / "docs/errors.md").read_text(), flags=re.MULTILINE)
    documented = {
        (name, int(cells[0]), fault)
        for section in sections
        for fault, title in GROUPS.items()
        if section.startswith(title)
        for name, cells in _rows(section).items()
    }
    assert documented == {(code.name, code.status, code.fault) for code in CODES.values()}


def test_every_code_in_the_list_is_used() -> None:
    """A code nobody raises would be a promise nobody keeps."""
    source = "\n".join(path.read_text() for path in (ROOT / "gateway").rglob("*.py") if path.name != "errors.py")
    assert [name for name in CODES if f'"{name}"' not in source] == []


def test_every_setting_is_documented() -> None:
    """docs/settings.md has a row for each setting, and no other."""
    documented = set(_rows((ROOT / "docs/settings.md").read_text()))
    assert documented == {item.metadata["name"] for item in fields(Settings)}


def test_every_environment_variable_the_code_reads_is_a_setting() -> None:
    """No code reads the environment past Settings."""
    allowed = {"settings.py"}
    reading = re.compile(r"os\.environ\[[^]]*\](?! =)|os\.getenv|environ\.get\(")
    readers = [
        str(path.relative_to(ROOT))
        for path in [*(ROOT / "gateway").rglob("*.py"), ROOT / "function_app.py"]
        if path.name not in allowed and reading.search(path.read_text())
    ]
    assert readers == []


def test_every_dependency_has_a_reason() -> None:
    """docs/dependencies.md names each pinned package; each pin is exact."""
    text = (ROOT / "docs/dependencies.md").read_text()
    lines = [
        line
        for name in ("requirements.txt", "requirements-dev.txt")
        for line in (ROOT / name).read_text().splitlines()
        if line and not line.startswith(("-r", "#"))
    ]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line)] == []
    assert [line for line in lines if line.split("==")[0] not in text] == []


def test_the_readme_is_short() -> None:
    """Under 150 lines."""
    assert len((ROOT / "README.md").read_text().splitlines()) < 150
