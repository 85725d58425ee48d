"""What the service said of one thing that it was asked, before anybody decides what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.llm.json_values import mapping, objects
from gateway.safety.verdict import ScreeningUnavailable

KINDS = {"Hate": "hate", "SelfHarm": "self_harm", "Sexual": "sexual", "Violence": "violence"}


@dataclass(frozen=True, slots=True)
class Scores:
    """Severities by category, and whether a blocklist or an attack was met."""

    severities: Mapping[str, int] = field(default_factory=dict)
    listed: bool = False
    attack: bool = False

    # Whether nothing at all was found: no threshold is as low as that.
    are_zero: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "are_zero", not (self.attack or self.listed or any(self.severities.values())))


def analysis_in(answer: Any, categories: Sequence[str], with_blocklists: bool) -> Scores:
    """Of `text:analyze` and `image:analyze`. Raises ScreeningUnavailable if something that was asked is not in it."""
    document = mapping(answer)
    found: dict[str, int] = {}
    for each in objects(document.get("categoriesAnalysis")):
        category, severity = each.get("category"), each.get("severity")
        if isinstance(category, str) and type(severity) is int and 0 <= severity <= 7:
            found[category] = severity
    matches = document.get("blocklistsMatch")
    if with_blocklists and (not isinstance(matches, list) or len(objects(matches)) < len(matches)):
        raise ScreeningUnavailable("unreadable")
    if any(category not in found for category in categories):
        raise ScreeningUnavailable("unreadable")
    return Scores({category: found[category] for category in categories}, listed=with_blocklists and bool(matches))


def attacks_in(answer: Any, has_prompt: bool, documents: int) -> list[Scores]:
    """Of `text:shieldPrompt`: the prompt's, if there was one, then each document's. Raises ScreeningUnavailable."""
    said = mapping(answer)
    parts = [said.get("userPromptAnalysis")] if has_prompt else []
    if documents:
        analyses = said.get("documentsAnalysis")
        if not isinstance(analyses, list) or len(analyses) != documents:
            raise ScreeningUnavailable("unreadable")
        parts += analyses
    found = [mapping(part).get("attackDetected") for part in parts]
    if not all(isinstance(each, bool) for each in found):
        raise ScreeningUnavailable("unreadable")
    return [Scores(attack=bool(each)) for each in found]
