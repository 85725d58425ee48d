// The one storage account: the app's package, what the Functions host keeps, and the gateway's tables, which the gateway
// makes by itself. Nobody has a key to it: shared keys are off, and each is admitted by a role.

param name string
param location string
param tags object

@description('No access but through private endpoints.')
param isPrivate bool

@description('The identity of the app.')
param principalId string

@description('Who manages the catalog with the command line.')
param administratorId string

@description('The Log Analytics workspace for metrics; empty for none.')
param workspaceId string

var roles = loadJsonContent('../roles.json')

// The host keeps locks and its own keys in blobs, for which Microsoft asks for Owner, and uses queues and tables beside.
var rolesOfApp = [
  'Storage Blob Data Owner'
  'Storage Queue Data Contributor'
  'Storage Table Data Contributor'
]

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
    supportsHttpsTrafficOnly: true
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: isPrivate ? 'Deny' : 'Allow'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: 'app-package'
}

resource tables 'Microsoft.Storage/storageAccounts/tableServices@2024-01-01' = {
  parent: account
  name: 'default'
}

resource appRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in rolesOfApp: {
  name: guid(account.id, principalId, role)
  scope: account
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[role])
  }
}]

// Without a principal type: the administrator may be a user, a group, or the identity of a pipeline.
resource administratorRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, administratorId, 'Storage Table Data Contributor')
  scope: account
  properties: {
    principalId: administratorId
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Storage Table Data Contributor'])
  }
}

// Only metrics: a log line for each of the host's and the gateway's requests to storage would cost more than storage does.
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(workspaceId)) {
  name: 'gateway'
  scope: tables
  properties: {
    workspaceId: workspaceId
    metrics: [
      {
        category: 'Transaction'
        enabled: true
      }
    ]
  }
}

output tables string = 'https://${account.name}.table.${environment().suffixes.storage}'
output packageContainer string = '${account.properties.primaryEndpoints.blob}${packages.name}'
