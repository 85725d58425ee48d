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
    "a URL without a scheme": ({"MODEL_URL": "foo"}, "MODEL_URL must start with http:// or https:// and name a host"),
    "a URL of another kind": ({"MODEL_URL": "ftp://models.example"}, "MODEL_URL must start with http://"),
    "a URL without a host": ({"MODEL_URL": "http://"}, "MODEL_URL must start with http:// or https:// and name a host"),
    "a URL with a password": ({"MODEL_URL": "https://me:secret@models.example"}, "MODEL_URL must not contain a user"),
    "a URL with a query": ({"MODEL_URL": "https://models.example/v1?a=b"}, "MODEL_URL must not contain a query"),
    "a URL with a space": ({"MODEL_URL": "https://models.example/v 1"}, "MODEL_URL must be an absolute URL without"),
    "a URL with a port too high": ({"MODEL_URL": "http://models.example:99999"}, "MODEL_URL must name a port from 1"),
    "a key that no header can hold": (
        {"MODEL_URL": "https://models.example", "MODEL_KEY": "\u20ac"},
        "MODEL_KEY must not contain characters that cannot stand in a header",
    ),
    "a key without a URL": ({"MODEL_KEY": "sk-1"}, "MODEL_KEY is set without MODEL_URL"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_with_the_remedy(case: str) -> None:
    """Each refusal is one line that names the variable."""
    given, sentence = REFUSED[case]
    with pytest.raises(RunFailed, match=sentence) as caught:
        RunOptions.from_environment(given)
    assert "\n" not in str(caught.value)


def test_a_url_that_is_refused_is_answered_with_an_example() -> None:
    """The sentence shows one that works, and repeats no password."""
    with pytest.raises(RunFailed) as caught:
        RunOptions.from_environment({"MODEL_URL": "https://me:secret@models.example"})
    assert "for example `make run MODEL_URL=https://api.openai.com/v1 MODEL_KEY=...`." in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_model_without_a_key() -> None:
    """Models of one's own often ask for none; the stand-in's key is not sent to them."""
    assert RunOptions.from_environment({"MODEL_URL": "http://127.0.0.1:8000/v1"}).model_key is None
