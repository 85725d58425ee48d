"""The Functions app that a deployment makes: what it runs on, and the settings that the gateway finds there."""

from __future__ import annotations

import re
from dataclasses import fields

from gateway.settings import Settings
from tests.infra.azure import NOT_ON_FLEX_CONSUMPTION, PROPERTIES_NOT_ON_FLEX_CONSUMPTION
from tests.infra.bicep_file import INFRA, read
from tests.infra.deployment import Deployment, deploy
from tests.infra.given import ALL, app_settings

SET_BY_AZURE = {"WEBSITE_SITE_NAME", "REGION_NAME"}


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
        reference = re.fullmatch(r"@Microsoft\.KeyVault\(SecretUri=https://kv-[^/]+/secrets/([^/]+)/\)", value)
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
    known = {item.metadata["name"] for item in fields(Settings)} | ALL["appSettings"].keys()
    metrics = (INFRA.parent / "docs/metrics.md").read_text()
    strange = {name for name in app_settings(full).keys() - known if f"`{name}`" not in metrics}
    assert {name for name in strange if not name.startswith("AzureWebJobsStorage__")} == {"AzureWebJobsDisableHomepage"}


def test_the_outputs_are_what_one_needs_next(plain: Deployment) -> None:
    """The gateway's address, where its tables are, and commands that name this deployment's resources."""
    outputs = plain.outputs
    app = plain.the("Microsoft.Web/sites").name
    assert outputs["gatewayUrl"] == f"https://{app}.azurewebsites.net"
    assert outputs["nextCommand"] == f"func azure functionapp publish {app}"
    assert outputs["gatewayTables"] in outputs["firstKeyCommand"]
    assert outputs["gatewayVault"] == plain.the("Microsoft.KeyVault/vaults").name
    assert set(outputs) == set(read(INFRA / "main.bicep").output)
