"""local/state.py: what is kept between runs, and who can read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from local.options import RunFailed
from local.state import State


def mode(path: Path) -> int:
    """The permission bits."""
    return path.stat().st_mode & 0o777


def test_the_secret_key_is_made_once_and_is_a_fernet_key(tmp_path: Path) -> None:
    """A second run must be able to decrypt what the first encrypted."""
    key = State(tmp_path).secret_key()
    Fernet(key)
    assert State(tmp_path).secret_key() == key


def test_files_with_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    """Nobody else on the machine reads a key, even if the file was there before with wider permissions."""
    state = State(tmp_path)
    state.local_settings.write_text('{"Values": {}}')
    state.local_settings.chmod(0o644)
    state.secret_key()
    state.keep_subscription_key("gw_1")
    state.write_settings({"MODEL_KEY": "sk-1"})
    state.write_run_file({"subscriptionKey": "gw_1"})
    files = [path for path in state.folder.iterdir() if path.is_file()]
    assert {path.name for path in files} == {"secret-key", "subscription-key", "run.json"}
    assert {mode(path) for path in [*files, state.local_settings]} == {0o600}
    assert mode(state.folder) == 0o700


def test_settings_a_person_added_are_kept(tmp_path: Path) -> None:
    """local.settings.json is theirs as well: only our own values are replaced."""
    state = State(tmp_path)
    state.write_settings({"GATEWAY_TABLES": "first"})
    settings = json.loads(state.local_settings.read_text())
    settings["Values"]["OPENAI_KEY"] = "sk-1"
    state.local_settings.write_text(json.dumps(settings))
    state.write_settings({"GATEWAY_TABLES": "second"})
    assert state.own_values() == {"GATEWAY_TABLES": "second", "OPENAI_KEY": "sk-1"}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"Values": []}'])
def test_a_broken_settings_file_is_reported_not_overwritten(tmp_path: Path, text: str) -> None:
    """A slip of the hand in a JSON file must not cost somebody's settings."""
    state = State(tmp_path)
    state.local_settings.write_text(text)
    with pytest.raises(RunFailed, match=r"local\.settings\.json cannot be read"):
        state.write_settings({"GATEWAY_TABLES": "new"})
    assert state.local_settings.read_text() == text


def test_a_second_run_hears_where_the_first_one_is(tmp_path: Path) -> None:
    """The lock holds while the first runs and is free afterwards."""
    with State(tmp_path).only_one():
        State(tmp_path).write_run_file({"url": "http://127.0.0.1:7071"})
        with pytest.raises(RunFailed, match=r"runs already at http://127\.0\.0\.1:7071: press Ctrl-C"):
            State(tmp_path).only_one().__enter__()
    with State(tmp_path).only_one():
        pass
