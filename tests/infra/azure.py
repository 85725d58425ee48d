"""What Azure says of the resources that the templates make: versions, names, roles. Facts, each with its source."""

from __future__ import annotations

import re
from typing import NamedTuple

# The version of Azure's API for each type, and where github.com/Azure/bicep-types-az describes it, below generated/.
VERSIONS = {
    "Microsoft.Authorization/roleAssignments": ("2022-04-01", "authorization/microsoft.authorization"),
    "Microsoft.CognitiveServices/accounts": ("2024-10-01", "cognitiveservices/microsoft.cognitiveservices"),
    "Microsoft.CognitiveServices/accounts/deployments": (
        "2024-10-01",
        "cognitiveservices/microsoft.cognitiveservices",
    ),
    "Microsoft.Insights/actionGroups": ("2023-01-01", "monitor/microsoft.insights"),
    "Microsoft.Insights/components": ("2020-02-02", "applicationinsights/microsoft.insights"),
    "Microsoft.Insights/diagnosticSettings": ("2021-05-01-preview", "monitor/microsoft.insights"),
    "Microsoft.Insights/scheduledQueryRules": ("2022-06-15", "monitor/microsoft.insights"),
    "Microsoft.Insights/webtests": ("2022-06-15", "applicationinsights/microsoft.insights"),
    "Microsoft.Insights/workbooks": ("2023-06-01", "applicationinsights/microsoft.insights"),
    "Microsoft.KeyVault/vaults": ("2023-07-01", "keyvault/microsoft.keyvault"),
    "Microsoft.KeyVault/vaults/secrets": ("2023-07-01", "keyvault/microsoft.keyvault"),
    "Microsoft.ManagedIdentity/userAssignedIdentities": ("2023-01-31", "msi/microsoft.managedidentity"),
    "Microsoft.Network/privateDnsZones": ("2024-06-01", "privatedns/microsoft.network"),
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": ("2024-06-01", "privatedns/microsoft.network"),
    "Microsoft.Network/privateEndpoints": ("2024-05-01", "network/microsoft.network"),
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": ("2024-05-01", "network/microsoft.network"),
    "Microsoft.Network/virtualNetworks": ("2024-05-01", "network/microsoft.network"),
    "Microsoft.OperationalInsights/workspaces": ("2023-09-01", "operationalinsights/microsoft.operationalinsights"),
    "Microsoft.Storage/storageAccounts": ("2024-01-01", "storage/microsoft.storage"),
    "Microsoft.Storage/storageAccounts/blobServices": ("2024-01-01", "storage/microsoft.storage"),
    "Microsoft.Storage/storageAccounts/blobServices/containers": ("2024-01-01", "storage/microsoft.storage"),
    "Microsoft.Storage/storageAccounts/tableServices": ("2024-01-01", "storage/microsoft.storage"),
    "Microsoft.Web/serverfarms": ("2024-04-01", "web/microsoft.web"),
    "Microsoft.Web/sites": ("2024-04-01", "web/microsoft.web"),
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": ("2024-04-01", "web/microsoft.web"),
    "Microsoft.Web/sites/config": ("2024-04-01", "web/microsoft.web"),
}

# learn.microsoft.com/azure/role-based-access-control/built-in-roles
ROLES = {
    "Cognitive Services OpenAI User": "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
    "Cognitive Services User": "a97b65f3-24c7-4388-baec-2e87135dc908",
    "Key Vault Secrets Officer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
}


class NameRule(NamedTuple):
    """How a resource may be called."""

    shortest: int
    longest: int
    pattern: str

    def takes(self, name: str) -> bool:
        """Whether Azure would."""
        return self.shortest <= len(name) <= self.longest and re.fullmatch(self.pattern, name) is not None


UUID = NameRule(36, 36, r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FIXED = "default|appsettings|scm|ftp"

# learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
NAMES = {
    "Microsoft.Authorization/roleAssignments": UUID,
    "Microsoft.CognitiveServices/accounts": NameRule(2, 64, r"[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]"),
    "Microsoft.CognitiveServices/accounts/deployments": NameRule(2, 64, r"[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]"),
    "Microsoft.Insights/actionGroups": NameRule(1, 260, r"[^:<>+/&%\\?|]*[^:<>+/&%\\?| .]"),
    "Microsoft.Insights/components": NameRule(1, 260, r"[^%&\\?/]*[^%&\\?/ .]"),
    "Microsoft.Insights/diagnosticSettings": NameRule(1, 260, r"[A-Za-z0-9_-]+"),
    "Microsoft.Insights/scheduledQueryRules": NameRule(1, 260, r"[^*<>%{}&:\\?/#]*[^*<>%{}&:\\?/# .]"),
    "Microsoft.Insights/webtests": NameRule(1, 260, r"[A-Za-z0-9-]+"),
    "Microsoft.Insights/workbooks": UUID,
    "Microsoft.KeyVault/vaults": NameRule(3, 24, r"[A-Za-z](?!.*--)[A-Za-z0-9-]*[A-Za-z0-9]"),
    "Microsoft.KeyVault/vaults/secrets": NameRule(1, 127, r"[A-Za-z0-9-]+"),
    "Microsoft.ManagedIdentity/userAssignedIdentities": NameRule(3, 128, r"[A-Za-z0-9][A-Za-z0-9_-]*"),
    "Microsoft.Network/privateDnsZones": NameRule(1, 63, r"privatelink\.(blob|queue|table)\.core\.windows\.net"),
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": NameRule(1, 80, r"[A-Za-z0-9][\w.-]*\w"),
    "Microsoft.Network/privateEndpoints": NameRule(2, 64, r"[A-Za-z0-9][\w.-]*\w"),
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": NameRule(1, 80, FIXED),
    "Microsoft.Network/virtualNetworks": NameRule(2, 64, r"[A-Za-z0-9][\w.-]*\w"),
    "Microsoft.OperationalInsights/workspaces": NameRule(4, 63, r"[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]"),
    "Microsoft.Storage/storageAccounts": NameRule(3, 24, r"[a-z0-9]+"),
    "Microsoft.Storage/storageAccounts/blobServices": NameRule(1, 80, FIXED),
    "Microsoft.Storage/storageAccounts/blobServices/containers": NameRule(3, 63, r"[a-z0-9](?!.*--)[a-z0-9-]*"),
    "Microsoft.Storage/storageAccounts/tableServices": NameRule(1, 80, FIXED),
    "Microsoft.Web/serverfarms": NameRule(1, 60, r"[A-Za-z0-9-]+"),
    "Microsoft.Web/sites": NameRule(2, 60, r"[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]"),
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": NameRule(1, 60, FIXED),
    "Microsoft.Web/sites/config": NameRule(1, 60, FIXED),
}

# learn.microsoft.com/azure/azure-functions/functions-app-settings, "Flex Consumption plan deprecations".
NOT_ON_FLEX_CONSUMPTION = {
    "ENABLE_ORYX_BUILD",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_MAX_HTTP_CONCURRENCY",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_WORKER_RUNTIME_VERSION",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "WEBSITE_CONTENTOVERVNET",
    "WEBSITE_CONTENTSHARE",
    "WEBSITE_DNS_SERVER",
    "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT",
    "WEBSITE_NODE_DEFAULT_VERSION",
    "WEBSITE_RUN_FROM_PACKAGE",
    "WEBSITE_SKIP_CONTENTSHARE_VALIDATION",
    "WEBSITE_VNET_ROUTE_ALL",
}
PROPERTIES_NOT_ON_FLEX_CONSUMPTION = {
    "alwaysOn",
    "containerSize",
    "functionAppScaleLimit",
    "healthCheckPath",
    "isReserved",
    "javaVersion",
    "linuxFxVersion",
    "minimumElasticInstanceCount",
    "netFrameworkVersion",
    "powerShellVersion",
    "preWarmedInstanceCount",
    "use32BitWorkerProcess",
    "vnetRouteAllEnabled",
    "windowsFxVersion",
}
