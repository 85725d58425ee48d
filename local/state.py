"""The files `make run` keeps in `.local/`, and `local.settings.json`. They hold keys: only their owner reads them."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.options import RunFailed


@dataclass(frozen=True)
class State:
    """Where things are kept, below the repository's folder."""

    repository: Path

    @property
    def folder(self) -> Path:
        """`.local/`, made when first asked for."""
        folder = self.repository / ".local"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    @property
    def tables(self) -> Path:
        """Azurite's data."""
        return self.folder / "azurite"

    @property
    def run_file(self) -> Path:
        """What runs now, for programs; there only while it runs."""
        return self.folder / "run.json"

    @property
    def local_settings(self) -> Path:
        """What the Functions Core Tools read, and our command line."""
        return self.repository / "local.settings.json"

    @contextmanager
    def only_one(self) -> Iterator[None]:
        """Hold the lock while running. The kernel drops it when the process ends, however it ends."""
        path = self.folder / "run.lock"
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunFailed(self._who_runs(lock.read().strip())) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def secret_key(self) -> str:
        """The key that encrypts secrets in the local tables; made once, because what it encrypted needs it again."""
        path = self.folder / "secret-key"
        if not path.exists():
            write_private(path, base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
        return path.read_text().strip()

    def kept_subscription_key(self) -> str | None:
        """The key that the last run handed out; the gateway itself stores only its hash."""
        path = self.folder / "subscription-key"
        return path.read_text().strip() if path.exists() else None

    def keep_subscription_key(self, key: str) -> None:
        """Remember it for the next run."""
        write_private(self.folder / "subscription-key", key)

    def own_values(self) -> dict[str, str]:
        """The values in local.settings.json, those a person added included."""
        return {str(name): str(value) for name, value in self._settings()["Values"].items()}

    def write_settings(self, values: Mapping[str, str]) -> None:
        """Write them where `func start` and `python -m gateway` look for them."""
        settings = {**self._settings(), "Values": {**self.own_values(), **values}}
        write_private(self.local_settings, json.dumps(settings, indent=2) + "\n")

    def _settings(self) -> dict[str, Any]:
        try:
            settings = json.loads(self.local_settings.read_text())
        except FileNotFoundError:
            return {"IsEncrypted": False, "Values": {}}
        except ValueError:
            settings = None
        if not isinstance(settings, dict) or not isinstance(settings.get("Values"), dict):
            raise RunFailed("local.settings.json cannot be read: mend its JSON, or delete it to have it made anew.")
        return settings

    def write_run_file(self, content: Mapping[str, Any]) -> None:
        """Tell other programs what runs where."""
        write_private(self.run_file, json.dumps(content, indent=2) + "\n")

    def _who_runs(self, pid: str) -> str:
        try:
            url = f" at {json.loads(self.run_file.read_text())['url']}"
        except (OSError, ValueError, KeyError):
            url = ""
        return (
            f"The gateway runs already{url}: press Ctrl-C where it was started, or `kill {pid}`, before another start."
        )


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step with one that only its owner can read."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
