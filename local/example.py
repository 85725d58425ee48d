"""Loads the example catalog and sees to a subscription key that works."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import uuid
from collections.abc import Mapping
from typing import Any

from local.options import RunFailed, RunOptions
from local.processes import REPOSITORY
from local.state import State, write_private

SUBSCRIPTION = "demo"
API_PATH = "/openai"
CHAT_PATH = f"{API_PATH}/chat/completions"


def backend_documents(url: str, has_key: bool, safety_url: str) -> list[dict[str, Any]]:
    """The Backends `model` and `safety` of `apis/`. Their keys stay in the environment, out of the tables."""
    backend: dict[str, Any] = {"kind": "Backend", "name": "model", "displayName": "The model of `make run`", "url": url}
    if has_key:
        backend["credentials"] = {"header": "Authorization", "value": "Bearer {{model-key}}"}
    safety = {
        "kind": "Backend",
        "name": "safety",
        "displayName": "The stand-in for Azure AI Content Safety of `make run`",
        "url": safety_url,
        "credentials": {"header": "Ocp-Apim-Subscription-Key", "value": "{{safety-key}}"},
    }
    named_values = [
        {"kind": "NamedValue", "name": f"{name}-key", "secret": True, "value": f"{{{{env:{name.upper()}_KEY}}}}"}
        for name in ("model", "safety")
    ]
    return [*named_values, backend, safety]


class Example:
    """The catalog in `apis/`, beside Backends for the model and the content safety of this run."""

    def __init__(self, state: State, options: RunOptions, environment: Mapping[str, str]) -> None:
        self._state = state
        self._options = options
        self._environment = environment
        # By it the request made here is left out of what a person sees. No caller can know it, and hide likewise.
        self.request_id = uuid.uuid4().hex

    def load(self, model_url: str, safety_url: str) -> None:
        """Apply the catalog; keep the key if the subscription was made just now."""
        documents = backend_documents(model_url, self._options.model_key is not None, safety_url)
        file = self._state.folder / "backends.yaml"
        write_private(file, "\n---\n".join(json.dumps(document, indent=2) for document in documents) + "\n")
        applied = self._gateway("apply", "-f", str(REPOSITORY / "apis"), "-f", str(file), "--json")
        keys = applied.get("keys", {}).get(SUBSCRIPTION)
        if keys:
            self._state.keep_subscription_key(keys["primaryKey"])

    def working_key(self, port: int) -> str:
        """The kept subscription key, or a new one if the gateway no longer takes it."""
        key = self._state.kept_subscription_key()
        if key is None or not self._is_taken(key, port):
            answer = self._gateway("subscriptions", "regenerate", SUBSCRIPTION, "--slot", "primary", "--json")
            key = str(answer["primaryKey"])
            self._state.keep_subscription_key(key)
        return key

    def _is_taken(self, key: str, port: int) -> bool:
        """Ask for an operation that does not exist: the gateway looks at the key first, and the model hears nothing."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        headers = {"Ocp-Apim-Subscription-Key": key, "x-request-id": self.request_id}
        try:
            connection.request("GET", f"{API_PATH}/key-check", headers=headers)
            return connection.getresponse().status != http.client.UNAUTHORIZED
        except OSError as error:
            raise RunFailed(f"The gateway does not answer on port {port} any more ({error}).") from None
        finally:
            connection.close()

    def _gateway(self, *arguments: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "gateway", *arguments]
        done = subprocess.run(
            command, cwd=REPOSITORY, env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise RunFailed(f"`python -m gateway {' '.join(arguments)}` failed:\n{said}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
