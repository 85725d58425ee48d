"""What an import costs and brings in."""

from bench.imports import slowest, unwanted

TIMED = """import time: self [us] | cumulative | imported package
import time:       300 |        300 |   encodings
import time:     52000 |     104412 |     gateway.catalog.models
import time:      1200 |       1200 | site
not one of these lines
"""


def test_the_slowest_come_first() -> None:
    """By the module's own time, in milliseconds."""
    assert slowest(TIMED) == {"gateway.catalog.models": 52.0, "site": 1.2, "encodings": 0.3}


def test_unwanted_modules_are_found_by_their_parts() -> None:
    """A part of a package is enough; a name that only begins alike is not."""
    assert unwanted(["openai", "aiohttp.client", "numpydoc", "azure.functions"]) == ("aiohttp", "openai")
    assert unwanted(["sys", "opentelemetry.context"]) == ()
