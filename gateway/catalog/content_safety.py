"""`llm-content-safety` as people write it: what is screened by Azure AI Content Safety, and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PlainSerializer, StringConstraints, model_validator

from gateway.catalog.backend_settings import BackendChoice
from gateway.catalog.base import Model
from gateway.catalog.fields import check_printable, write_number

Category = Literal["Hate", "SelfHarm", "Sexual", "Violence"]
OutputType = Literal["FourSeverityLevels", "EightSeverityLevels"]
OnError = Literal["block", "allow"]
Reveal = Literal["none", "category", "severity"]
Images = Literal["analyze", "block", "skip"]

HIGHEST_SEVERITY: Mapping[OutputType, int] = {"FourSeverityLevels": 6, "EightSeverityLevels": 7}


def check_threshold(threshold: int) -> int:
    """A severity that some texts have and others do not."""
    if threshold == 0:
        raise ValueError("must not be 0: every text has at least this severity, so all would be blocked")
    if not 1 <= threshold <= 7:
        raise ValueError("must be from 1 to 7: there is no other severity")
    return threshold


def check_pointer(pointer: str) -> str:
    """A JSON pointer (RFC 6901) to something below the body."""
    if not pointer.startswith("/"):
        raise ValueError('must be a JSON pointer, which begins with "/"')
    return pointer


def check_once(names: tuple[str, ...]) -> tuple[str, ...]:
    """No name twice."""
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"must not name {twice[0]} more than once")
    return names


Number = PlainSerializer(write_number, return_type=float | int)
Threshold = Annotated[int, AfterValidator(check_threshold)]
BlocklistName = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._~-]+$", max_length=64)]
Blocklists = Annotated[tuple[BlocklistName, ...], Field(strict=False, max_length=10), AfterValidator(check_once)]
Pointer = Annotated[
    str, StringConstraints(max_length=400), AfterValidator(check_printable), AfterValidator(check_pointer)
]
Pointers = Annotated[tuple[Pointer, ...], Field(strict=False, max_length=20), AfterValidator(check_once)]


class ContentSafety(Model):
    """What is screened and what follows. Of an API's, a product's and the gateway's, all hold."""

    backend: BackendChoice
    shield_prompt: bool = False
    categories: Mapping[Category, Threshold] = Field(default_factory=dict)
    output_type: OutputType = "FourSeverityLevels"
    blocklists: Blocklists = ()
    enforce_on_completions: bool = False
    # Code points.
    window_size: Annotated[int, Field(ge=0, le=10_000)] = 1_000
    window_overlap_size: Annotated[int, Field(ge=0, le=5_000)] = 100
    on_error: OnError = "block"
    # Seconds.
    timeout: Annotated[float, Field(ge=0.05, le=30), Number] = 2.0
    reveal: Reveal = "category"
    images: Images = "skip"
    text_pointers: Pointers = ()

    @property
    def analyzes(self) -> bool:
        """Whether texts are analyzed: the prompt shield alone has no need of it."""
        return bool(self.categories or self.blocklists)

    @model_validator(mode="after")
    def _checks_something(self) -> Self:
        if not (self.analyzes or self.shield_prompt):
            raise ValueError("must have categories, blocklists or shieldPrompt: it would check nothing")
        if self.enforce_on_completions and not self.analyzes:
            raise ValueError("must have categories or blocklists for enforceOnCompletions: the shield is for prompts")
        if self.images == "analyze" and not self.categories:
            raise ValueError('must have categories for images "analyze": nothing else is found in images')
        return self

    @model_validator(mode="after")
    def _can_block(self) -> Self:
        highest = HIGHEST_SEVERITY[self.output_type]
        for category, threshold in self.categories.items():
            if threshold > highest:
                raise ValueError(
                    f"categories.{category} must be at most {highest} with {self.output_type}: "
                    "there is no higher severity, so it would never block"
                )
        return self

    @model_validator(mode="after")
    def _overlaps_less_than_a_window(self) -> Self:
        if self.window_size and self.window_overlap_size >= self.window_size:
            raise ValueError("windowOverlapSize must be less than windowSize")
        return self

    def stricter(self, other: ContentSafety) -> ContentSafety:
        """Settings that block whatever either of the two blocks, and tell no more than either."""
        thresholds = dict(self.categories)
        for category, threshold in other.categories.items():
            thresholds[category] = min(threshold, thresholds.get(category, threshold))
        both = (self, other)
        sizes = [each.window_size for each in both if each.enforce_on_completions] or [
            each.window_size for each in both
        ]
        return self.model_copy(
            update={
                "shield_prompt": self.shield_prompt or other.shield_prompt,
                "categories": thresholds,
                "output_type": _first("output_type", ("EightSeverityLevels", "FourSeverityLevels"), both),
                "blocklists": tuple(dict.fromkeys(self.blocklists + other.blocklists)),
                "enforce_on_completions": self.enforce_on_completions or other.enforce_on_completions,
                "window_size": max(sizes) if all(sizes) else 0,
                "window_overlap_size": max(each.window_overlap_size for each in both),
                "on_error": _first("on_error", ("block", "allow"), both),
                "timeout": min(each.timeout for each in both),
                "reveal": _first("reveal", ("none", "category", "severity"), both),
                "images": _first("images", ("block", "analyze", "skip"), both),
                "text_pointers": tuple(dict.fromkeys(self.text_pointers + other.text_pointers)),
            }
        )


def _first(field: str, strictest_first: tuple[str, ...], settings: tuple[ContentSafety, ContentSafety]) -> str:
    said = {getattr(each, field) for each in settings}
    return next(value for value in strictest_first if value in said)


class Screened(Model):
    """What an API, a product and the gateway can all say about screening."""

    content_safety: ContentSafety | None = None
