// Azure OpenAI with a chat and an embedding model. Keys are off; callers have none, and the app uses its identity.

param name string
param location string
param tags object
param chatModel string
param embeddingModel string

@description('Thousands of tokens a minute, for each model.')
param capacity int

@description('The Log Analytics workspace for the audit log; empty for none.')
param workspaceId string

resource account 'Microsoft.CognitiveServices/accounts@2024-10-01' = {
  name: name
  location: location
  tags: tags
  kind: 'OpenAI'
  sku: {
    name: 'S0'
  }
  properties: {
    // Tokens of Entra ID are taken at the resource's own host name only.
    customSubDomainName: name
    disableLocalAuth: true
    publicNetworkAccess: 'Enabled'
  }
}

// One after the other: the resource refuses two changes at once. Without a version: the model's default one.
@batchSize(1)
resource deployments 'Microsoft.CognitiveServices/accounts/deployments@2024-10-01' = [for model in [chatModel, embeddingModel]: {
  parent: account
  name: model
  sku: {
    name: 'GlobalStandard'
    capacity: capacity
  }
  properties: {
    model: {
      format: 'OpenAI'
      name: model
    }
    versionUpgradeOption: 'OnceNewDefaultVersionAvailable'
  }
}]

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(workspaceId)) {
  name: 'gateway'
  scope: account
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'Audit'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}
