"""nginx and wrk: found, or named."""

from pathlib import Path

import pytest

from bench.faults import BenchFailed
from bench.tools import Tools, find_tools

MISSING = {
    "both": ((), "nginx and wrk are needed to measure"),
    "nginx": (("wrk",), "nginx is needed to measure"),
    "wrk": (("nginx",), "wrk is needed to measure"),
}


def install(folder: Path, *names: str) -> None:
    """Put programs of these names into a folder."""
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)


@pytest.mark.parametrize("case", MISSING)
def test_what_is_missing_is_named(tmp_path: Path, case: str) -> None:
    """With the packages to install."""
    installed, sentence = MISSING[case]
    install(tmp_path, *installed)
    with pytest.raises(BenchFailed, match=sentence) as raised:
        find_tools([str(tmp_path)], ())
    assert "nginx-light wrk" in str(raised.value)


def test_nginx_may_be_where_only_root_looks(tmp_path: Path) -> None:
    """wrk on the path, nginx beside it."""
    path, sbin = tmp_path / "bin", tmp_path / "sbin"
    path.mkdir()
    sbin.mkdir()
    install(path, "wrk")
    install(sbin, "nginx")
    assert find_tools([str(path)], [str(sbin)]) == Tools(nginx=str(sbin / "nginx"), wrk=str(path / "wrk"))
