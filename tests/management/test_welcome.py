"""The page of a deployment without APIs."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

from gateway.body import RequestBody
from gateway.call import Call
from gateway.management.welcome import STEPS, welcome
from tests.policies.test_admit import never_received

REPOSITORY = Path(__file__).parents[2]


def page(accept: bytes = b"text/html,application/xhtml+xml") -> str:
    call = Call("GET", "/", b"", [(b"accept", accept)], RequestBody(never_received, None, has_body=False), "id")
    body = welcome(call).body
    assert isinstance(body, bytes)
    return body.decode()


class Outside(HTMLParser):
    """Collects what a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action")]
        if tag not in ("meta", "!doctype"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_by_itself() -> None:
    """It fetches nothing, runs nothing, and every element is closed."""
    outside = Outside()
    outside.feed(page())
    assert (outside.addresses, outside.open) == ([], [])
    assert "<script" not in page()


def test_the_commands_exist() -> None:
    """Each one's own help knows it, with its options."""
    for _, command in STEPS:
        words = command.removeprefix("python -m ").split()
        options = [word for word in words if word.startswith("--")]
        names = [word for word in words if not word.startswith("-")]
        asked = [sys.executable, "-m", *names[:3], "--help"]
        told = subprocess.run(asked, capture_output=True, text=True, cwd=REPOSITORY, check=False)
        if told.returncode:
            asked = [sys.executable, "-m", *names[:2], "--help"]
            told = subprocess.run(asked, capture_output=True, text=True, cwd=REPOSITORY, check=True)
        assert all(re.search(rf"{option}\b", told.stdout) for option in options), command


def test_the_documents_that_it_names_are_there() -> None:
    """In this repository."""
    for name in re.findall(r"docs/[\w-]+\.md", page()):
        assert (REPOSITORY / name).is_file()
