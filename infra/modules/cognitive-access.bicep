// Lets the app use an Azure AI resource, which may be in another resource group, and whoever manages the gateway try it.

param accountName string

@description('The name of the role, as in roles.json.')
@allowed([
  'Cognitive Services OpenAI User'
  'Cognitive Services User'
])
param role string

@description('The identity of the app.')
param principalId string

@description('Who manages the gateway.')
param administratorId string

var roles = loadJsonContent('../roles.json')

resource account 'Microsoft.CognitiveServices/accounts@2024-10-01' existing = {
  name: accountName
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, principalId, role)
  scope: account
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[role])
  }
}

// Without a principal type: the administrator may be a user, a group, or the identity of a pipeline.
resource administratorRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, administratorId, role)
  scope: account
  properties: {
    principalId: administratorId
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[role])
  }
}

output endpoint string = account.properties.endpoint
