"""What all models of the catalog are made from."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Model(BaseModel):
    """Strict: text is never taken for a number, unknown fields are refused, and nothing changes after it is made."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        alias_generator=to_camel,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    def to_json(self) -> dict[str, Any]:
        """The fields that were written, in camelCase; what was left to its default stays left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
