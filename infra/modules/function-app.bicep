// The Functions app on Flex Consumption: it scales to zero, and by how many calls are under way.

param name string
param planName string
param location string
param tags object
param identityId string
param identityClientId string
param storageName string

@description('The URL of the blob container for the app\'s package.')
param packageContainer string

@description('The address of the secret with the gateway\'s keys.')
param keysUri string

@description('The address of the secret with the URL of a Redis; empty for none.')
param redisUri string

@description('The resource id of Application Insights; empty for none.')
param insightsId string

@description('The Log Analytics workspace for metrics; empty for none.')
param workspaceId string

@description('The subnet that the app reaches storage through; empty for none.')
param subnetId string
param instanceMemoryMB int
param maximumInstanceCount int
param alwaysReadyInstances int

// The platform starts another instance when each has this many calls under way. Its own default for Python is 1, made for code
// that blocks: a gateway on that would pay for an instance for every open stream. Calls here wait for a model nearly all of
// their time, about 0.3 ms of processor time in some seconds, and hold about their body in memory. 200 calls of 5 s are 40 a
// second: little for one instance, and few enough that the loss of one instance is not the loss of all.
param perInstanceConcurrency int

@description('More app settings, of the operator\'s own choosing.')
param appSettings object

// Something that can be split even where there is no Application Insights.
var insightsPath = split(empty(insightsId) ? resourceId('Microsoft.Insights/components', 'none') : insightsId, '/')

resource insights 'Microsoft.Insights/components@2020-02-02' existing = if (!empty(insightsId)) {
  name: insightsPath[8]
  scope: resourceGroup(insightsPath[2], insightsPath[4])
}

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageName
}

var settingsOfHost = {
  AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
  AzureWebJobsStorage__queueServiceUri: storage.properties.primaryEndpoints.queue
  AzureWebJobsStorage__tableServiceUri: storage.properties.primaryEndpoints.table
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  // Otherwise the host answers "/" with a page of its own, and the gateway never sees it.
  AzureWebJobsDisableHomepage: 'true'
}

var settingsOfGateway = {
  AZURE_CLIENT_ID: identityClientId
  GATEWAY_TABLES: 'https://${storageName}.table.${environment().suffixes.storage}'
  GATEWAY_SECRET_KEY: '@Microsoft.KeyVault(SecretUri=${keysUri})'
}

var settingsOfRedis = empty(redisUri) ? {} : {
  GATEWAY_CACHE: '@Microsoft.KeyVault(SecretUri=${redisUri})'
}

// The host and the gateway both write with the app's identity: the resource takes no keys.
var settingsOfInsights = empty(insightsId) ? {} : {
  APPLICATIONINSIGHTS_CONNECTION_STRING: insights!.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

// Flex Consumption has no health check by the platform: an instance that is ill is found by its failing calls. Probes from
// outside can ask /gateway/ready; see availability.bicep.
resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  // azd finds the app to publish to by this tag.
  tags: union(tags, { 'azd-service-name': 'gateway' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainer
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReadyInstances == 0 ? [] : [
          {
            name: 'http'
            instanceCount: alwaysReadyInstances
          }
        ]
        triggers: {
          http: {
            perInstanceConcurrency: perInstanceConcurrency
          }
        }
      }
    }
    siteConfig: {
      ftpsState: 'Disabled'
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
    }
  }
}

resource settings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: union(settingsOfHost, settingsOfGateway, settingsOfRedis, settingsOfInsights, appSettings)
}

// Code comes with a token of Entra ID: there are no passwords to publish with.
resource passwords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = [for door in ['ftp', 'scm']: {
  parent: app
  name: door
  properties: {
    allow: false
  }
}]

// Only metrics: the log goes to Application Insights already, and would be paid for twice.
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(workspaceId)) {
  name: 'gateway'
  scope: app
  properties: {
    workspaceId: workspaceId
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

output url string = 'https://${app.properties.defaultHostName}'
