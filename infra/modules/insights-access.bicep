// Lets the app write to an Application Insights resource, which may be in another resource group.

param insightsName string

@description('The identity of the app.')
param principalId string

var roles = loadJsonContent('../roles.json')

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource role 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, principalId, 'Monitoring Metrics Publisher')
  scope: insights
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Monitoring Metrics Publisher'])
  }
}

output location string = insights.location
output workspaceId string = insights.properties.WorkspaceResourceId
