"""What a prompt is made of: texts, to be counted by a tokenizer, and tokens that are known already.

Everything here takes any JSON whatever: a body that its backend will refuse is counted as far as it makes sense.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from gateway.llm.prompts.media import Images


@dataclass(slots=True)
class Parts:
    """Collects what a prompt is made of. `images` has the maker's formula for the model that is asked."""

    images: Images
    texts: list[str] = field(default_factory=list)
    tokens: int = 0

    def text(self, value: Any) -> None:
        """Text, if it is one."""
        if isinstance(value, str) and value:
            self.texts.append(value)

    def json(self, value: Any) -> None:
        """Something that is put before the model as JSON, such as the arguments of a tool."""
        if isinstance(value, str):
            self.text(value)
        elif value is not None:
            self.texts.append(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

    def tool(self, name: Any, description: Any, schema: Any) -> None:
        """What the model is told of a tool: its name, what it is for, and the schema of its input."""
        self.text(name)
        self.text(description)
        self.json(schema)
