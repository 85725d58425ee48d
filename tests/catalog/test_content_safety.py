"""What may be written about content safety, and what several settings come to."""

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.catalog.content_safety import ContentSafety
from gateway.catalog.loading import parse_documents
from gateway.catalog.screenings import ResolvedScreening, Screenings
from gateway.catalog.secrets import SecretBox
from gateway.catalog.snapshot import ResolvedBackend, Snapshot
from gateway.errors import Fault

SERVICE = {"url": "https://name.cognitiveservices.azure.com"}


def settings(**fields: Any) -> ContentSafety:
    return ContentSafety.model_validate({"backend": SERVICE, "categories": {"Hate": 4}, **fields})


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"categories": {"Hatred": 4}}, "'Hate', 'SelfHarm', 'Sexual' or 'Violence'"),
    ({"categories": {"Hate": 8}}, "there is no other severity"),
    ({"categories": {"Hate": -1}}, "there is no other severity"),
    ({"categories": {"Hate": 0}}, "all would be blocked"),
    ({"categories": {"Hate": 7}}, "would never block"),
    ({"categories": {}}, "it would check nothing"),
    ({"categories": {}, "shieldPrompt": True, "enforceOnCompletions": True}, "must have categories or blocklists for"),
    ({"categories": {}, "shieldPrompt": True, "images": "analyze"}, "must have categories for images"),
    ({"windowSize": 50}, "windowOverlapSize must be less than windowSize"),
    ({"blocklists": ["a", "a"]}, "more than once"),
    ({"textPointers": ["a"]}, "must be a JSON pointer"),
]


@pytest.mark.parametrize(("fields", "reason"), REFUSED)
def test_what_cannot_work_is_refused_with_the_reason(fields: dict[str, Any], reason: str) -> None:
    """When it is written, not when the first call comes."""
    with pytest.raises(ValidationError) as refused:
        settings(**fields)
    assert reason in str(refused.value)


def test_seven_is_a_threshold_with_eight_severities() -> None:
    """There it can be met."""
    assert settings(categories={"Hate": 7}, outputType="EightSeverityLevels").categories == {"Hate": 7}


def resolved(url: str = SERVICE["url"], **fields: Any) -> ResolvedScreening:
    written = settings(backend={"url": url}, **fields)
    assert not isinstance(written.backend, str)
    return ResolvedScreening(written, ResolvedBackend("safety", written.backend))


def test_settings_for_one_service_become_the_stricter_of_each() -> None:
    """Whoever wrote what."""
    api = resolved(onError="allow", reveal="severity", blocklists=["a"], timeout=5, windowSize=0)
    everybody = resolved(categories={"Hate": 2, "Sexual": 4}, reveal="none", blocklists=["b"], shieldPrompt=True)
    (one,) = Screenings(of_api=api, of_gateway=everybody).holding(None)
    assert one.settings.categories == {"Hate": 2, "Sexual": 4}
    assert (one.settings.on_error, one.settings.reveal, one.settings.timeout) == ("block", "none", 2)
    assert one.settings.blocklists == ("a", "b")
    assert one.settings.shield_prompt
    assert one.settings.window_size == 0


def test_different_services_screen_separately() -> None:
    """And one that cannot be resolved stays an outage by itself."""
    unresolved = ResolvedScreening(settings())
    here, there = resolved(), resolved("https://other.cognitiveservices.azure.com")
    assert Screenings(of_api=here, of_gateway=there).holding(None) == (here, there)
    assert Screenings(of_api=here, of_gateway=unresolved).holding(None) == (here, unresolved)


def build(api: str, previous: Snapshot | None = None) -> tuple[Snapshot, list[Fault]]:
    """A catalog of one API with this content safety."""
    text = f"kind: Api\nname: a\npath: a\ntype: openai\nbackend: {{url: https://m.test}}\ncontentSafety: {api}\n"
    return Snapshot.build(1, parse_documents(text, "a.yaml"), SecretBox(()), {"KEY": "k"}, previous)


def test_a_backend_that_cannot_be_resolved_is_an_outage_and_a_fault() -> None:
    """Never no screening; what was there before stays in use."""
    good, faults = build("{backend: {url: https://s.test}, shieldPrompt: true}")
    assert faults == []
    broken, faults = build("{backend: missing, shieldPrompt: true}")
    assert [str(fault) for fault in faults] == [
        "Api a: contentSafety.backend: Backend missing is missing or cannot be used"
    ]
    (screening,) = broken.apis["a"].screenings.holding(None)
    assert screening.backend is None
    kept, _ = build("{backend: missing, shieldPrompt: true}", good)
    (screening,) = kept.apis["a"].screenings.holding(None)
    assert screening.backend is not None
    assert screening.backend.settings.url == "https://s.test"


def test_windows_are_those_of_whoever_screens_answers() -> None:
    """The default of settings that leave answers alone is no wish; of two wishes the larger window holds."""
    quiet = resolved(windowSize=5_000)
    small = resolved(enforceOnCompletions=True, windowSize=200)
    larger = resolved(enforceOnCompletions=True, windowSize=300)
    (one,) = Screenings(of_api=quiet, of_gateway=small).holding(None)
    assert (one.settings.enforce_on_completions, one.settings.window_size) == (True, 200)
    (one,) = Screenings(of_api=larger, of_gateway=small).holding(None)
    assert one.settings.window_size == 300
