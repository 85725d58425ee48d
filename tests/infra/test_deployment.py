"""What a deployment asks Azure for, worked out from the templates: it could be made."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.azure import NAMES, VERSIONS
from tests.infra.deployment import Deployment, Refused, deploy
from tests.infra.given import ALL, ELSEWHERE, OWN, app_settings

MODES = ("create", "existing", "none")
MODELS = json.loads((Path(__file__).parent / "known_properties.json").read_text())
KNOWN = MODELS["types"]


@pytest.mark.parametrize(("safety", "openai", "insights"), list(itertools.product(MODES, MODES, MODES)))
@pytest.mark.parametrize("more", [{}, ALL], ids=["plain", "full"])
def test_every_combination_can_be_deployed(safety: str, openai: str, insights: str, more: dict[str, Any]) -> None:
    """No combination reads what it does not deploy; and only what is asked for is made."""
    deployment = deploy(
        {**more, **OWN, "contentSafety": safety, "openAI": openai, "applicationInsights": insights},
    )
    accounts = {account["kind"] for account in deployment.of("Microsoft.CognitiveServices/accounts")}
    wanted = {kind for kind, mode in {"ContentSafety": safety, "OpenAI": openai}.items() if mode == "create"}
    assert accounts == wanted
    assert len(deployment.of("Microsoft.Insights/components")) == (insights == "create")
    assert len(deployment.of("Microsoft.Insights/scheduledQueryRules")) == (0 if insights == "none" else 4)
    assert len(deployment.of("Microsoft.Insights/workbooks")) == (insights != "none")
    assert (deployment.outputs["openAIEndpoint"] == "") == (openai == "none")
    assert (deployment.outputs["contentSafetyEndpoint"] == "") == (safety == "none")
    assert ("APPLICATIONINSIGHTS_CONNECTION_STRING" in app_settings(deployment)) == (insights != "none")


def test_what_is_brought_along_is_used_where_it_is() -> None:
    """Roles are given on resources of other groups and subscriptions, and nothing is made there."""
    deployment = deploy(OWN | dict.fromkeys(("contentSafety", "openAI", "applicationInsights"), "existing"))
    there = [resource for resource in deployment.resources if resource.id.startswith(ELSEWHERE)]
    made = [resource for resource in there if not resource.existing]
    assert {resource.type for resource in made} == {"Microsoft.Authorization/roleAssignments"}
    assert len(made) == 5
    assert "our-insights" in app_settings(deployment)["APPLICATIONINSIGHTS_CONNECTION_STRING"]


def test_the_api_versions_exist(full: Deployment) -> None:
    """Each type is asked for in a version that Azure has."""
    assert {(each.type, each.version) for each in full.resources} == {
        (kind, version) for kind, (version, _) in VERSIONS.items()
    }


def _unknown(kind: str, place: str, given: Any) -> Iterator[str]:
    if isinstance(given, list):
        for each in given:
            yield from _unknown(kind, place, each)
    if not isinstance(given, dict) or KNOWN[kind].get(place) == "*" or place == "tags":
        return
    known = KNOWN[kind].get(place, "").split()
    # Of some types the models have only what is special to them.
    known += ["name", "location", "tags", "kind"] if place == "" else []
    for name, value in given.items():
        if name not in known:
            yield f"{kind}: {place}.{name}"
        yield from _unknown(kind, f"{place}.{name}".strip("."), value)


def test_the_properties_exist(full: Deployment) -> None:
    """A misspelt property would be ignored by Azure, or refused."""
    assert [fault for each in full.resources for fault in _unknown(each.type, "", each.body)] == []


def _values(given: Any, place: str) -> Iterator[Any]:
    if isinstance(given, list):
        for each in given:
            yield from _values(each, place)
    elif not place:
        yield given
    elif isinstance(given, dict):
        name, _, rest = place.partition(".")
        yield from _values(given.get(name), rest)


def test_the_values_exist(full: Deployment) -> None:
    """Where Azure has a list of values, the template's is one of them."""
    seen = 0
    for resource in full.resources:
        for place, values in MODELS["values"].get(resource.type, {}).items():
            for value in _values(resource.body, place):
                seen += value is not None
                assert value is None or value in values.split(), f"{resource.type}: {place}: {value}"
    assert seen > 40


def test_a_misspelt_property_is_noticed(plain: Deployment) -> None:
    """The check above can fail."""
    site = plain.the("Microsoft.Web/sites")
    assert list(_unknown(site.type, "", {"properties": {"httpOnly": True}})) == [
        "Microsoft.Web/sites: properties.httpOnly"
    ]


@pytest.mark.parametrize("name", ["a", "gateway", "N" * 64, "my_Company.gateway-(production)", "-", "ü" * 64])
def test_names_are_within_limits_for_every_name_that_is_allowed(name: str) -> None:
    """The shortest and the longest name, and those that azd's environments may have."""
    deployment = deploy({**ALL, "name": name})
    made = [resource for resource in deployment.resources if not resource.existing]
    assert [(each.type, each.name) for each in made if not NAMES[each.type].takes(each.name)] == []


@pytest.mark.parametrize(
    "parameters",
    [
        {"name": ""},
        {"name": "n" * 65},
        {"instanceMemoryMB": 1024},
        {"maximumInstanceCount": 1001},
        {"perInstanceConcurrency": 0},
        {"openAI": "maybe"},
        {"openAi": "none"},
        {"redis": 6379},
    ],
    ids=str,
)
def test_what_azure_would_not_take_is_refused_before_anything_is_made(parameters: dict[str, Any]) -> None:
    """Limits and lists of values stand in the template, and not in Azure's error after ten minutes."""
    with pytest.raises(Refused):
        deploy(parameters)


def test_nothing_is_made_twice(full: Deployment) -> None:
    """Two resources of one id would overwrite each other."""
    made = [resource.id for resource in full.resources if not resource.existing]
    assert len(made) == len(set(made))


def test_a_second_deployment_makes_the_same_resources(full: Deployment) -> None:
    """Names do not depend on chance: what is there is changed, not added to."""
    assert [each.id for each in deploy(ALL).resources] == [each.id for each in full.resources]


def test_two_gateways_in_one_group_do_not_meet() -> None:
    """Another name is another gateway."""
    first, second = deploy({"name": "first"}), deploy({"name": "second"})
    ids = [{each.id for each in one.resources} for one in (first, second)]
    assert not ids[0] & ids[1]
