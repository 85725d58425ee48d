"""local/options.py: what `make run` takes."""

from __future__ import annotations

import pytest

from local.options import RunFailed, RunOptions


def test_nothing_given_means_the_stand_in_model_on_the_usual_port() -> None:
    """make hands over empty variables; they count as not given."""
    given = {"PORT": "", "MODEL_URL": "", "MODEL_KEY": " "}
    assert RunOptions.from_environment(given) == RunOptions(7071, None, "stand-in-key", "stand-in")


def test_a_real_model() -> None:
    """URL, key and name of a real model are taken as they are."""
    given = {"PORT": "7072", "MODEL_URL": "https://models.example/v1", "MODEL_KEY": "sk-1", "MODEL": "some-model"}
    assert RunOptions.from_environment(given) == RunOptions(7072, "https://models.example/v1", "sk-1", "some-model")


REFUSED = {
    "a port that is no number": ({"PORT": "http"}, "PORT is 'http'"),
    "port 0": ({"PORT": "0"}, "PORT is '0'"),
    "a port too high": ({"PORT": "65536"}, "PORT is '65536'"),
    "a key without a URL": ({"MODEL_KEY": "sk-1"}, "MODEL_KEY is set without MODEL_URL"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_with_the_remedy(case: str) -> None:
    """Each refusal is one line that names the variable."""
    given, sentence = REFUSED[case]
    with pytest.raises(RunFailed, match=sentence) as caught:
        RunOptions.from_environment(given)
    assert "\n" not in str(caught.value)


def test_a_model_without_a_key() -> None:
    """Models of one's own often ask for none; the stand-in's key is not sent to them."""
    assert RunOptions.from_environment({"MODEL_URL": "http://127.0.0.1:8000/v1"}).model_key is None
