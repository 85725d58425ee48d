"""The private network, diagnostics, alerts, the workbook and the availability test of a deployment."""

from __future__ import annotations

import json

from tests.infra.deployment import Deployment, Resource, deploy
from tests.infra.functions import GROUP
from tests.infra.given import ALL


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


def test_the_availability_test_calls_whether_the_app_is_ready(full: Deployment, plain: Deployment) -> None:
    """Only where it is asked for, because it keeps an instance awake."""
    test = full.the("Microsoft.Insights/webtests")
    assert test["properties"]["Request"]["RequestUrl"] == full.outputs["gatewayUrl"] + "/gateway/ready"
    assert plain.of("Microsoft.Insights/webtests") == []


def test_the_workbook_is_json_with_the_prices_in_it(full: Deployment, plain: Deployment) -> None:
    """The prices of the parameter, as the text of the workbook's own parameter."""
    for deployment, prices in ((full, ALL["prices"]), (plain, {})):
        workbook = json.loads(deployment.the("Microsoft.Insights/workbooks")["properties"]["serializedData"])
        assert workbook["fallbackResourceIds"] == [deployment.the("Microsoft.Insights/components").id]
        (parameters,) = (item["content"]["parameters"] for item in workbook["items"] if item["type"] == 9)
        (value,) = (each["value"] for each in parameters if each["name"] == "Prices")
        assert json.loads(value) == prices
