"""What the tests give to the templates, and how they look at what comes out."""

from __future__ import annotations

from tests.infra.azure import ROLES
from tests.infra.deployment import Deployment

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
