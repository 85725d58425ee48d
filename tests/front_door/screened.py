"""An API that is screened by the stand-in for content safety, and a caller of it."""

from __future__ import annotations

import uuid
from typing import Any

import httpx2
from openai import OpenAI

from local.content_safety import SafetyServer
from tests.front_door.system import System, wait_until

SCREENED = """
kind: NamedValue
name: safety-key
value: safety-key
---
kind: Api
name: {name}
path: {name}
type: {kind}
backend: model
{beside}
contentSafety:
  backend: {{url: "{url}", credentials: {{header: Ocp-Apim-Subscription-Key, value: "{{{{safety-key}}}}"}}}}
  shieldPrompt: true
  categories: {{Hate: 4, SelfHarm: 4, Sexual: 4, Violence: 4}}
  {more}
---
kind: Subscription
name: {name}-one
scope: /apis/{name}
"""


class Screened:
    """One API that is screened, and a caller."""

    def __init__(
        self,
        system: System,
        safety: SafetyServer,
        more: str = "",
        *,
        url: str | None = None,
        beside: str = "",
        kind: str = "openai",
    ) -> None:
        self.name = f"screened-{uuid.uuid4().hex[:8]}"
        self.system = system
        self.safety = safety
        self._fields = {"name": self.name, "url": url or safety.url, "beside": beside, "kind": kind}
        self.change(more)
        self.key = system.keys[f"{self.name}-one"]
        self.url = f"{system.url}/{self.name}"
        self.client = OpenAI(base_url=self.url, api_key=self.key, max_retries=0, timeout=30)
        wait_until(lambda: httpx2.get(f"{self.url}/models", headers={"api-key": self.key}).status_code == 200)

    def change(self, more: str) -> None:
        """Write the API with these settings of contentSafety, beside those that it always has."""
        self.system.apply(SCREENED.format(**self._fields, more=more))

    def ask(self, content: Any, **more: Any) -> httpx2.Response:
        """A chat completion of one message as plain HTTP."""
        return self.post([{"role": "user", "content": content}], **more)

    def post(
        self, messages: list[dict[str, Any]], headers: dict[str, str] | None = None, **more: Any
    ) -> httpx2.Response:
        """A chat completion as plain HTTP."""
        body = {"model": "stand-in", "messages": messages, **more}
        sent = {"api-key": self.key, **(headers or {})}
        return httpx2.post(f"{self.url}/chat/completions", headers=sent, json=body, timeout=30)

    def log_of(self, answer: httpx2.Response) -> dict[str, Any]:
        """The line of the request log."""
        return self.system.log_of(answer.headers["x-request-id"])

    def reached(self) -> int:
        """How often the model was asked for a chat completion."""
        return int(self.system.model.stats()["byPath"].get("/v1/chat/completions", 0))
