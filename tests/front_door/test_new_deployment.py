"""A deployment before there is anything in it: what it says to whoever looks, and when it stops saying so."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from tests.front_door.system import System, wait_until

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture(scope="module")
def empty() -> Iterator[System]:
    """Nothing was ever applied."""
    own = System()
    own.azurite.start()
    own.start_host()
    yield own
    own.stop()


def test_an_empty_deployment_is_ready_and_says_what_to_do(empty: System) -> None:
    """A page for people, the same as JSON for programs."""
    assert httpx2.get(f"{empty.url}/gateway/ready").json()["checks"] == {"catalog": "ok", "storage": "ok"}
    page = httpx2.get(f"{empty.url}/", headers=BROWSER)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "python -m gateway import" in page.text
    told = httpx2.get(f"{empty.url}/").json()
    assert told["status"] == "empty"
    assert [step["command"] for step in told["next"]][1] == "python -m gateway import"
    assert httpx2.head(f"{empty.url}/").status_code == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/openai/models"), ("POST", "/"), ("GET", "/index.html")])
def test_nothing_else_is_answered(empty: System, method: str, path: str) -> None:
    """There is no API."""
    answer = httpx2.request(method, f"{empty.url}{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "OperationNotFound")


def test_the_page_is_gone_once_there_is_an_api(system: System) -> None:
    """Wherever that is."""
    answer = httpx2.get(f"{system.url}/", headers=BROWSER)
    assert "It has no API yet" not in answer.text


def test_probes_are_for_everybody(empty: System) -> None:
    """Without a key, and however often; other verbs are not."""
    for _ in range(50):
        assert httpx2.get(f"{empty.url}/gateway/ready").status_code == 200
    assert httpx2.head(f"{empty.url}/gateway/ready").status_code == 200
    refused = httpx2.post(f"{empty.url}/gateway/ready")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


def test_a_storage_that_goes_away_is_noticed(empty: System) -> None:
    """The process stays healthy meanwhile. This one comes last."""
    empty.azurite.stop()
    wait_until(lambda: httpx2.get(f"{empty.url}/gateway/ready").status_code == 503, 30)
    assert httpx2.get(f"{empty.url}/gateway/ready").json()["checks"]["storage"] == "unavailable"
    assert httpx2.get(f"{empty.url}/gateway/health").json() == {"status": "ok"}
