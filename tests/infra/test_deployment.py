"""What a deployment asks Azure for, worked out from the templates: it could be made, and it is as safe as promised."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from gateway.settings import Settings
from tests.infra.azure import (
    NAMES,
    NOT_ON_FLEX_CONSUMPTION,
    PROPERTIES_NOT_ON_FLEX_CONSUMPTION,
    ROLES,
    VERSIONS,
)
from tests.infra.bicep_file import INFRA, read
from tests.infra.deployment import Deployment, Refused, Resource, deploy, deploy_module
from tests.infra.functions import GROUP

ELSEWHERE = "/subscriptions/99999999-2222-3333-4444-555555555555/resourceGroups/elsewhere/providers/"
OWN = {
    "contentSafetyId": ELSEWHERE + "Microsoft.CognitiveServices/accounts/our-safety",
    "openAIId": ELSEWHERE + "Microsoft.CognitiveServices/accounts/our-openai",
    "applicationInsightsId": ELSEWHERE + "Microsoft.Insights/components/our-insights",
}
ALL = {
    "privateNetwork": True,
    "alertEmail": "people@example.com",
    "availabilityTest": True,
    "alwaysReadyInstances": 2,
    "redis": "rediss://:MARKED-PASSWORD@redis.example:6380",
    "appSettings": {"VLLM_API_KEY": "@Microsoft.KeyVault(SecretUri=https://ours.vault.azure.net/secrets/vllm)"},
    "tags": {"team": "platform"},
    "prices": {"gpt-5-mini": {"input": 1, "output": 2}},
}
MODES = ("create", "existing", "none")
# Settings of features that not every version of the gateway has.
OPTIONAL_SETTINGS = {"GATEWAY_CACHE"}
SET_BY_AZURE = {"WEBSITE_SITE_NAME", "REGION_NAME"}
KNOWN = json.loads((Path(__file__).parent / "known_properties.json").read_text())["types"]


@pytest.fixture(scope="module")
def plain() -> Deployment:
    """With no parameters at all."""
    return deploy()


@pytest.fixture(scope="module")
def full() -> Deployment:
    """With everything that can be asked for."""
    return deploy(ALL)


def app_settings(deployment: Deployment) -> dict[str, str]:
    """What the app finds in its environment; references to Key Vault are not resolved."""
    settings: dict[str, str] = deployment.the("Microsoft.Web/sites/config").body["properties"]
    return settings


def roles_of(deployment: Deployment, principal: str) -> set[tuple[str, str]]:
    """(role, kind of resource) for each role that somebody has."""
    names = {guid: name for name, guid in ROLES.items()}
    return {
        (
            names[role["properties"]["roleDefinitionId"].rpartition("/")[2]],
            role.id.split("/providers/")[1].split("/")[1],
        )
        for role in deployment.of("Microsoft.Authorization/roleAssignments")
        if role["properties"]["principalId"] == principal
    }


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
    assert len(made) == 3
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


def test_the_app_runs_python_on_flex_consumption(plain: Deployment) -> None:
    """The version is the one that the project is tested with."""
    plan, site = plain.the("Microsoft.Web/serverfarms"), plain.the("Microsoft.Web/sites")
    assert plan["sku"] == {"name": "FC1", "tier": "FlexConsumption"}
    assert plan["properties"]["reserved"] is True
    version = (INFRA.parent / ".python-version").read_text().strip()
    assert site["properties"]["functionAppConfig"]["runtime"] == {"name": "python", "version": version}


def test_nothing_is_set_that_flex_consumption_does_not_take(full: Deployment) -> None:
    """Deprecated settings and properties of other plans are not used."""
    site = full.the("Microsoft.Web/sites")["properties"]
    assert not app_settings(full).keys() & NOT_ON_FLEX_CONSUMPTION
    assert not (site["siteConfig"].keys() | site.keys()) & PROPERTIES_NOT_ON_FLEX_CONSUMPTION


def test_scale_is_what_the_parameters_say(full: Deployment, plain: Deployment) -> None:
    """Always-ready instances are of the group `http`, in which all HTTP functions scale together."""
    scale = full.the("Microsoft.Web/sites")["properties"]["functionAppConfig"]["scaleAndConcurrency"]
    assert scale["alwaysReady"] == [{"name": "http", "instanceCount": 2}]
    scale = plain.the("Microsoft.Web/sites")["properties"]["functionAppConfig"]["scaleAndConcurrency"]
    assert scale["alwaysReady"] == []
    assert scale["triggers"]["http"]["perInstanceConcurrency"] == 200
    given = deploy({"instanceMemoryMB": 512, "maximumInstanceCount": 40, "perInstanceConcurrency": 7})
    scale = given.the("Microsoft.Web/sites")["properties"]["functionAppConfig"]["scaleAndConcurrency"]
    assert (scale["instanceMemoryMB"], scale["maximumInstanceCount"]) == (512, 40)
    assert scale["triggers"] == {"http": {"perInstanceConcurrency": 7}}


def test_azd_finds_the_app(plain: Deployment) -> None:
    """By the tag with the name of the service in azure.yaml; it was given no other tags."""
    assert plain.the("Microsoft.Web/sites")["tags"] == {"azd-service-name": "gateway"}


def test_the_app_understands_its_settings(full: Deployment) -> None:
    """The gateway itself reads what the deployment would set, and finds no fault."""
    secrets = {each.name: each["properties"]["value"] for each in full.of("Microsoft.KeyVault/vaults/secrets")}
    environment = dict(app_settings(full))
    for name, value in environment.items():
        reference = re.fullmatch(r"@Microsoft\.KeyVault\(SecretUri=https://kv-[^/]+/secrets/([^/]+)\)", value)
        if reference:
            environment[name] = secrets[reference[1]]
    settings = Settings.from_environment(environment)
    assert settings.tables == full.outputs["gatewayTables"]
    assert settings.azure_client_id == "cccccccc-1111-4111-8111-000000000000"
    assert len(settings.secret_keys) == 1
    assert environment["GATEWAY_CACHE"] == ALL["redis"]


def test_every_setting_that_is_read_is_set_or_documented() -> None:
    """What the deployment leaves out, people can find and set."""
    known = {item.metadata["name"] for item in fields(Settings)}
    documented = (INFRA.parent / "docs/settings.md").read_text()
    left_out = known - app_settings(deploy()).keys() - SET_BY_AZURE
    assert {name for name in left_out if f"`{name}`" not in documented} == set()


def test_every_setting_that_is_set_is_read(full: Deployment) -> None:
    """By the gateway, by an exporter of metrics as documented, or by the Functions host."""
    known = {item.metadata["name"] for item in fields(Settings)} | OPTIONAL_SETTINGS | ALL["appSettings"].keys()
    metrics = (INFRA.parent / "docs/metrics.md").read_text()
    strange = {name for name in app_settings(full).keys() - known if f"`{name}`" not in metrics}
    assert {name for name in strange if not name.startswith("AzureWebJobsStorage__")} == set()


def test_the_first_key_is_a_good_key() -> None:
    """32 bytes, as Fernet takes them, each of which depends on chance."""
    keys = [deploy_module(INFRA / "modules/vault.bicep", VAULT).lookup("firstKey") for _ in range(64)]
    for key in keys:
        Fernet(key)
    assert len(set(keys)) == 64
    raw = [Fernet(key)._signing_key + Fernet(key)._encryption_key for key in keys]
    # Of 64 keys each bit is sometimes set and sometimes not; by chance that fails once in 10^17 runs.
    ones = [int.from_bytes(key) for key in raw]
    assert all(0 < sum(key >> bit & 1 for key in ones) < 64 for bit in range(256))


def test_the_first_key_is_made_of_random_digits_only() -> None:
    """The first 64 hexadecimal digits that do depend on chance, in their order; a UUID's version and variant do not."""
    seeds = [
        "01234567-89ab-4cde-8f01-23456789abcd",
        "fedcba98-7654-4321-8fed-cba987654321",
        "a5c3e1f7-8b9d-4062-9714-2e6f",
    ]
    seeds[2] += "0" * 8
    scope = deploy_module(
        INFRA / "modules/vault.bicep", {**VAULT, **dict(zip(("seedA", "seedB", "seedC"), seeds, strict=True))}
    )
    plain = [seed.replace("-", "") for seed in seeds]
    digits = "".join(seed[:12] + seed[13:16] + seed[17:] for seed in plain)
    key = Fernet(scope.lookup("firstKey"))
    assert (key._signing_key + key._encryption_key).hex() == digits[:64]


VAULT = {
    "name": "kv",
    "location": "westeurope",
    "tags": {},
    "principalId": "app",
    "administratorId": "admin",
    "redis": "",
    "workspaceId": "",
}


def test_no_secret_leaves_the_vault(full: Deployment) -> None:
    """No output of any module has one, nor has any resource but the vault's secrets and the app's connection string."""
    secrets = [each["properties"]["value"] for each in full.of("Microsoft.KeyVault/vaults/secrets")]
    assert len(secrets) == 2
    connection = app_settings(full)["APPLICATIONINSIGHTS_CONNECTION_STRING"]
    shown = json.dumps([full.outputs, full.outputs_of_modules])
    assert not [secret for secret in [*secrets, connection, "MARKED-PASSWORD"] if secret in shown]
    for resource in full.resources:
        if resource.type != "Microsoft.KeyVault/vaults/secrets":
            assert not [secret for secret in secrets if secret in json.dumps(resource.body)], resource.type
        if resource.type != "Microsoft.Web/sites/config":
            assert connection not in json.dumps(resource.body), resource.type


def test_nothing_admits_by_key(full: Deployment) -> None:
    """Storage, models, content safety and Application Insights take identities only; so does publishing."""
    assert full.the("Microsoft.Storage/storageAccounts")["properties"]["allowSharedKeyAccess"] is False
    assert all(each["properties"]["disableLocalAuth"] for each in full.of("Microsoft.CognitiveServices/accounts"))
    assert full.the("Microsoft.Insights/components")["properties"]["DisableLocalAuth"] is True
    policies = full.of("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {each.name: each["properties"]["allow"] for each in policies} == {"scm": False, "ftp": False}
    assert full.the("Microsoft.KeyVault/vaults")["properties"]["enableRbacAuthorization"] is True


def test_only_https_and_tls_from_1_2(full: Deployment) -> None:
    """For callers, for publishing, and for storage."""
    site = full.the("Microsoft.Web/sites")["properties"]
    storage = full.the("Microsoft.Storage/storageAccounts")["properties"]
    assert site["httpsOnly"] is True
    assert (site["siteConfig"]["minTlsVersion"], site["siteConfig"]["scmMinTlsVersion"]) == ("1.2", "1.2")
    assert site["siteConfig"]["ftpsState"] == "Disabled"
    assert (storage["minimumTlsVersion"], storage["supportsHttpsTrafficOnly"]) == ("TLS1_2", True)
    assert storage["allowBlobPublicAccess"] is False


def test_the_app_has_the_roles_it_needs_and_no_more(full: Deployment) -> None:
    """One user-assigned identity, for everything that the app asks of Azure."""
    assert roles_of(full, "aaaaaaaa-1111-4111-8111-000000000000") == {
        ("Storage Blob Data Owner", "storageAccounts"),
        ("Storage Queue Data Contributor", "storageAccounts"),
        ("Storage Table Data Contributor", "storageAccounts"),
        ("Key Vault Secrets User", "vaults"),
        ("Cognitive Services User", "accounts"),
        ("Cognitive Services OpenAI User", "accounts"),
        ("Monitoring Metrics Publisher", "components"),
    }
    identity = full.the("Microsoft.ManagedIdentity/userAssignedIdentities").id
    site = full.the("Microsoft.Web/sites")
    assert site["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}}
    assert site["properties"]["keyVaultReferenceIdentity"] == identity
    package = site["properties"]["functionAppConfig"]["deployment"]["storage"]
    assert package["authentication"] == {
        "type": "UserAssignedIdentity",
        "userAssignedIdentityResourceId": identity,
    }
    assert package["value"].startswith(f"https://{full.the('Microsoft.Storage/storageAccounts').name}.blob.")


def test_whoever_deploys_may_manage_the_gateway() -> None:
    """Unless somebody else is named."""
    needed = {("Storage Table Data Contributor", "storageAccounts"), ("Key Vault Secrets Officer", "vaults")}
    assert roles_of(deploy(), "99999999-0000-4000-8000-000000000000") == needed
    assert roles_of(deploy({"adminPrincipalId": "the-team"}), "the-team") == needed


def test_a_role_assignment_is_told_by_its_scope_principal_and_role(full: Deployment) -> None:
    """So a second deployment finds the first one's, and two different ones never meet."""
    roles = full.of("Microsoft.Authorization/roleAssignments")
    assert len({role.name for role in roles}) == len(roles) == 9


def test_a_private_network_closes_storage(full: Deployment, plain: Deployment) -> None:
    """Storage answers in the network only, in which the app is, and whose names resolve to the private endpoints."""
    storage = full.the("Microsoft.Storage/storageAccounts")
    assert storage["properties"]["publicNetworkAccess"] == "Disabled"
    assert storage["properties"]["networkAcls"]["defaultAction"] == "Deny"
    network = full.the("Microsoft.Network/virtualNetworks")
    assert full.the("Microsoft.Web/sites")["properties"]["virtualNetworkSubnetId"] == f"{network.id}/subnets/app"
    (app,) = (each for each in network["properties"]["subnets"] if each["name"] == "app")
    assert app["properties"]["delegations"][0]["properties"]["serviceName"] == "Microsoft.App/environments"
    endpoints = full.of("Microsoft.Network/privateEndpoints")
    groups = [each["properties"]["privateLinkServiceConnections"][0]["properties"] for each in endpoints]
    assert [group["groupIds"] for group in groups] == [["blob"], ["queue"], ["table"]]
    assert {group["privateLinkServiceId"] for group in groups} == {storage.id}
    zones = full.of("Microsoft.Network/privateDnsZones")
    records = full.of("Microsoft.Network/privateEndpoints/privateDnsZoneGroups")
    assert [each["properties"]["privateDnsZoneConfigs"][0]["properties"]["privateDnsZoneId"] for each in records] == [
        zone.id for zone in zones
    ]
    assert len(full.of("Microsoft.Network/privateDnsZones/virtualNetworkLinks")) == 3
    assert plain.the("Microsoft.Storage/storageAccounts")["properties"]["publicNetworkAccess"] == "Enabled"
    assert plain.the("Microsoft.Web/sites")["properties"]["virtualNetworkSubnetId"] is None
    assert plain.of("Microsoft.Network/virtualNetworks") == []


def test_the_subnets_do_not_overlap() -> None:
    """The app's has room for many instances; the endpoints' is behind it."""
    network = deploy({"privateNetwork": True, "networkAddressPrefix": "10.1.2.0/24"}).the(
        "Microsoft.Network/virtualNetworks"
    )
    prefixes = [each["properties"]["addressPrefix"] for each in network["properties"]["subnets"]]
    assert prefixes == ["10.1.2.0/25", "10.1.2.128/27"]


def _about(resource: Resource) -> str:
    return resource.id.partition("/providers/")[2].partition("/providers/")[0]


def test_diagnostics_go_to_the_workspace(full: Deployment) -> None:
    """Of the app, storage, the vault, the model and content safety; the vault's audit log among them."""
    diagnostics = full.of("Microsoft.Insights/diagnosticSettings")
    assert sorted(_about(each).partition("/")[0] for each in diagnostics) == [
        "Microsoft.CognitiveServices",
        "Microsoft.CognitiveServices",
        "Microsoft.KeyVault",
        "Microsoft.Storage",
        "Microsoft.Web",
    ]
    assert all(each["properties"]["workspaceId"].startswith(GROUP) for each in diagnostics)
    (vault,) = (each for each in diagnostics if "KeyVault" in _about(each))
    assert vault["properties"]["logs"] == [{"category": "AuditEvent", "enabled": True}]


def test_alerts_reach_people_if_there_are_any(full: Deployment, plain: Deployment) -> None:
    """Four rules, on the Application Insights that the app writes to."""
    rules = full.of("Microsoft.Insights/scheduledQueryRules")
    group = full.the("Microsoft.Insights/actionGroups")
    assert [rule["properties"]["actions"]["actionGroups"] for rule in rules] == [[group.id]] * 4
    assert {rule["properties"]["scopes"][0] for rule in rules} == {full.the("Microsoft.Insights/components").id}
    assert plain.of("Microsoft.Insights/actionGroups") == []
    assert all(
        not rule["properties"]["actions"]["actionGroups"] for rule in plain.of("Microsoft.Insights/scheduledQueryRules")
    )


def test_the_availability_test_calls_the_health_of_the_app(full: Deployment, plain: Deployment) -> None:
    """Only where it is asked for, because it keeps an instance awake."""
    test = full.the("Microsoft.Insights/webtests")
    assert test["properties"]["Request"]["RequestUrl"] == full.outputs["gatewayUrl"] + "/gateway/health"
    assert plain.of("Microsoft.Insights/webtests") == []


def test_the_workbook_is_json_with_the_prices_in_it(full: Deployment, plain: Deployment) -> None:
    """The prices of the parameter, as the text of the workbook's own parameter."""
    for deployment, prices in ((full, ALL["prices"]), (plain, {})):
        workbook = json.loads(deployment.the("Microsoft.Insights/workbooks")["properties"]["serializedData"])
        assert workbook["fallbackResourceIds"] == [deployment.the("Microsoft.Insights/components").id]
        (parameters,) = (item["content"]["parameters"] for item in workbook["items"] if item["type"] == 9)
        (value,) = (each["value"] for each in parameters if each["name"] == "Prices")
        assert json.loads(value) == prices


def test_the_outputs_are_what_one_needs_next(plain: Deployment) -> None:
    """The gateway's address, where its tables are, and commands that name this deployment's resources."""
    outputs = plain.outputs
    app = plain.the("Microsoft.Web/sites").name
    assert outputs["gatewayUrl"] == f"https://{app}.azurewebsites.net"
    assert outputs["nextCommand"] == f"func azure functionapp publish {app}"
    assert outputs["gatewayTables"] in outputs["firstKeyCommand"]
    assert outputs["gatewayVault"] == plain.the("Microsoft.KeyVault/vaults").name
    assert set(outputs) == set(read(INFRA / "main.bicep").output)
