"""Who may what after a deployment: secrets stay in the vault, nothing admits by key, each identity has its roles."""

from __future__ import annotations

import json

from cryptography.fernet import Fernet

from tests.infra.bicep_file import INFRA
from tests.infra.deployment import Deployment, deploy, deploy_module
from tests.infra.given import app_settings, roles_of

VAULT = {
    "name": "kv",
    "location": "westeurope",
    "tags": {},
    "principalId": "app",
    "administratorId": "admin",
    "redis": "",
    "workspaceId": "",
}


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
    needed = {
        ("Storage Table Data Contributor", "storageAccounts"),
        ("Key Vault Secrets Officer", "vaults"),
        ("Cognitive Services OpenAI User", "accounts"),
        ("Cognitive Services User", "accounts"),
    }
    assert roles_of(deploy(), "99999999-0000-4000-8000-000000000000") == needed
    assert roles_of(deploy({"adminPrincipalId": "the-team"}), "the-team") == needed


def test_a_role_assignment_is_told_by_its_scope_principal_and_role(full: Deployment) -> None:
    """So a second deployment finds the first one's, and two different ones never meet."""
    roles = full.of("Microsoft.Authorization/roleAssignments")
    assert len({role.name for role in roles}) == len(roles) == 11
