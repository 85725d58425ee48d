"""The measurement of look-ups in the cache."""

import pytest

from bench.cache_lookup import HEADER, main, percentile


def test_it_measures_each_way(capsys: pytest.CaptureFixture[str]) -> None:
    """A line of the table for each; no way finds less than all."""
    arguments = ["--vectors", "50", "200", "--dimensions", "64", "--questions", "10", "--without-usearch"]
    for more in ([], ["--alike"]):
        assert main(arguments + more) == 0
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| matrix")]
        assert len(lines) == 6
        assert all(line.count("|") == len(HEADER) + 1 and "100.0 %" in line for line in lines)


@pytest.mark.parametrize("arguments", [["--vectors", "0"], ["--questions", "many"], ["--unknown"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Is said so."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "usage: python -m bench.cache_lookup" in capsys.readouterr().err


def test_percentiles() -> None:
    """The value that so many percent do not exceed."""
    values = [float(value) for value in range(1, 101)]
    assert (percentile(values, 50), percentile(values, 99), percentile([3.0], 99)) == (51.0, 100.0, 3.0)
