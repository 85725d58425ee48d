// The gateway and all it needs, in one resource group. This file only composes; each module is one concern.
// Needs Bicep 0.38.3 or newer (`az bicep upgrade`), for `@onlyIfNotExists()`.

targetScope = 'resourceGroup'

@description('What the deployment is called; the name of the Functions app begins with it.')
@minLength(1)
@maxLength(64)
param name string = 'gateway'

@description('Where everything is. Flex Consumption is not in every region: `az functionapp list-flexconsumption-locations`.')
param location string = resourceGroup().location

@description('Tags of every resource.')
param tags object = {}

@description('Memory of an instance in megabytes. Processor and network come in proportion to it.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 2048

@description('To how many instances the app may grow. This bounds what the app can cost.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 100

@description('Instances that are always there, and always paid for. With 0 the first call after a pause waits for a cold start.')
@minValue(0)
@maxValue(1000)
param alwaysReadyInstances int = 0

@description('How many calls an instance takes at once before the platform starts another one.')
@minValue(1)
@maxValue(1000)
param perInstanceConcurrency int = 200

@description('Azure AI Content Safety: make a resource, use the one in contentSafetyId, or none.')
@allowed([
  'create'
  'existing'
  'none'
])
param contentSafety string = 'create'

@description('The resource id of the Content Safety (or Azure AI services) resource to use.')
param contentSafetyId string = ''

@description('Azure OpenAI: make a resource with a chat and an embedding model, use the one in openAIId, or none.')
@allowed([
  'create'
  'existing'
  'none'
])
param openAI string = 'create'

@description('The resource id of the Azure OpenAI resource to use.')
param openAIId string = ''

@description('The chat model to deploy. The name of its deployment is the same.')
param chatModel string = 'gpt-5-mini'

@description('The model for embeddings to deploy, which the semantic cache needs. The name of its deployment is the same.')
param embeddingModel string = 'text-embedding-3-small'

@description('Thousands of tokens a minute for each of the two models. They are taken from your quota in this region.')
@minValue(1)
param modelCapacity int = 50

@description('Application Insights, with a workbook and alerts: make it, use the one in applicationInsightsId, or none.')
@allowed([
  'create'
  'existing'
  'none'
])
param applicationInsights string = 'create'

@description('The resource id of the Application Insights resource to use.')
param applicationInsightsId string = ''

@description('Who hears of alerts. Without an address, alerts are only to be seen in the portal.')
param alertEmail string = ''

@description('The 95th percentile of seconds for an answer above which an alert is raised.')
@minValue(1)
param alertLatencySeconds int = 30

@description('What the workbook reckons cost with: US dollars for a million tokens, written as in the catalog.')
param prices object = {}

@description('Call /gateway/ready from outside every five minutes. An app that is called so never scales to zero.')
param availabilityTest bool = false

@description('Reach storage over a virtual network only, by private endpoints.')
param privateNetwork bool = false

@description('The address space of that network: a /24 at least.')
param networkAddressPrefix string = '10.83.0.0/24'

@description('The URL of a Redis for the semantic cache, as rediss://:PASSWORD@HOST:PORT. Without it the cache is in Table Storage.')
@secure()
param redis string = ''

@description('Who manages the gateway: the object id of a user, group or service principal. If empty, whoever deploys.')
param adminPrincipalId string = ''

@description('More app settings. What is set by hand is gone after the next deployment, unless it is here too.')
param appSettings object = {}

var token = uniqueString(resourceGroup().id, name)
var characters = map(range(0, length(name)), i => substring(toLower(name), i, 1))
var readable = join(filter(characters, c => contains('abcdefghijklmnopqrstuvwxyz0123456789-', c)), '')
var functionAppName = 'func-${take(readable, 20)}-${token}'
var storageName = 'st${token}'
var vaultName = 'kv-${token}'
var openAIName = openAI == 'existing' ? last(split(openAIId, '/')) : 'oai-${token}'
var contentSafetyName = contentSafety == 'existing' ? last(split(contentSafetyId, '/')) : 'safety-${token}'
var insightsId = applicationInsights == 'existing' ? applicationInsightsId : resourceId('Microsoft.Insights/components', 'appi-${token}')

// What is brought along may be in another resource group, or in another subscription.
var here = split(resourceGroup().id, '/')
var openAIPlace = openAI == 'existing' ? split(openAIId, '/') : here
var contentSafetyPlace = contentSafety == 'existing' ? split(contentSafetyId, '/') : here
var insightsPlace = applicationInsights == 'existing' ? split(applicationInsightsId, '/') : here

var administrator = empty(adminPrincipalId) ? deployer().objectId : adminPrincipalId
var monitored = applicationInsights != 'none'

module identity 'modules/identity.bicep' = {
  name: 'gateway-identity'
  params: {
    name: 'id-${token}'
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = if (applicationInsights == 'create') {
  name: 'gateway-monitoring'
  params: {
    workspaceName: 'log-${token}'
    insightsName: 'appi-${token}'
    location: location
    tags: tags
  }
}

module insightsAccess 'modules/insights-access.bicep' = if (monitored) {
  name: 'gateway-insights-access'
  scope: resourceGroup(insightsPlace[2], insightsPlace[4])
  params: {
    insightsName: last(split(insightsId, '/'))
    principalId: identity.outputs.principalId
  }
  dependsOn: [
    monitoring
  ]
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'gateway-network'
  params: {
    name: 'vnet-${token}'
    location: location
    tags: tags
    addressPrefix: networkAddressPrefix
  }
}

module storage 'modules/storage.bicep' = {
  name: 'gateway-storage'
  params: {
    name: storageName
    location: location
    tags: tags
    isPrivate: privateNetwork
    principalId: identity.outputs.principalId
    administratorId: administrator
    workspaceId: monitored ? insightsAccess!.outputs.workspaceId : ''
  }
}

module privateEndpoints 'modules/private-endpoints.bicep' = if (privateNetwork) {
  name: 'gateway-private-endpoints'
  params: {
    storageName: storageName
    location: location
    tags: tags
    networkId: privateNetwork ? network!.outputs.id : ''
    subnetId: privateNetwork ? network!.outputs.endpointsSubnetId : ''
  }
  dependsOn: [
    storage
  ]
}

module vault 'modules/vault.bicep' = {
  name: 'gateway-vault'
  params: {
    name: vaultName
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    administratorId: administrator
    redis: redis
    workspaceId: monitored ? insightsAccess!.outputs.workspaceId : ''
  }
}

module openAIAccount 'modules/openai.bicep' = if (openAI == 'create') {
  name: 'gateway-openai'
  params: {
    name: openAIName
    location: location
    tags: tags
    chatModel: chatModel
    embeddingModel: embeddingModel
    capacity: modelCapacity
    workspaceId: monitored ? insightsAccess!.outputs.workspaceId : ''
  }
}

module openAIAccess 'modules/cognitive-access.bicep' = if (openAI != 'none') {
  name: 'gateway-openai-access'
  scope: resourceGroup(openAIPlace[2], openAIPlace[4])
  params: {
    accountName: openAIName
    role: 'Cognitive Services OpenAI User'
    principalId: identity.outputs.principalId
    administratorId: administrator
  }
  dependsOn: [
    openAIAccount
  ]
}

module contentSafetyAccount 'modules/content-safety.bicep' = if (contentSafety == 'create') {
  name: 'gateway-content-safety'
  params: {
    name: contentSafetyName
    location: location
    tags: tags
    workspaceId: monitored ? insightsAccess!.outputs.workspaceId : ''
  }
}

module contentSafetyAccess 'modules/cognitive-access.bicep' = if (contentSafety != 'none') {
  name: 'gateway-content-safety-access'
  scope: resourceGroup(contentSafetyPlace[2], contentSafetyPlace[4])
  params: {
    accountName: contentSafetyName
    role: 'Cognitive Services User'
    principalId: identity.outputs.principalId
    administratorId: administrator
  }
  dependsOn: [
    contentSafetyAccount
  ]
}

module functionApp 'modules/function-app.bicep' = {
  name: 'gateway-function-app'
  params: {
    name: functionAppName
    planName: 'plan-${token}'
    location: location
    tags: tags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageName: storageName
    packageContainer: storage.outputs.packageContainer
    keysUri: vault.outputs.keysUri
    redisUri: vault.outputs.redisUri
    insightsId: monitored ? insightsId : ''
    workspaceId: monitored ? insightsAccess!.outputs.workspaceId : ''
    subnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyInstances: alwaysReadyInstances
    perInstanceConcurrency: perInstanceConcurrency
    appSettings: appSettings
  }
  dependsOn: [
    privateEndpoints
  ]
}

module dashboard 'modules/dashboard.bicep' = if (monitored) {
  name: 'gateway-dashboard'
  params: {
    location: location
    tags: tags
    insightsId: insightsId
    prices: prices
  }
  dependsOn: [
    insightsAccess
  ]
}

module alerts 'modules/alerts.bicep' = if (monitored) {
  name: 'gateway-alerts'
  params: {
    namePrefix: functionAppName
    location: monitored ? insightsAccess!.outputs.location : location
    tags: tags
    insightsId: insightsId
    email: alertEmail
    latencySeconds: alertLatencySeconds
  }
}

module availability 'modules/availability.bicep' = if (monitored && availabilityTest) {
  name: 'gateway-availability'
  params: {
    name: 'health-${token}'
    location: monitored ? insightsAccess!.outputs.location : location
    tags: tags
    insightsId: insightsId
    url: '${functionApp.outputs.url}/gateway/ready'
  }
}

// In camelCase: Azure changes the case of outputs that begin with capitals.
@description('Where callers send their calls, followed by the path of an API.')
output gatewayUrl string = functionApp.outputs.url

@description('Where the catalog is. The command line reads this setting.')
output gatewayTables string = storage.outputs.tables

@description('The Functions app, to which the code is published.')
output gatewayApp string = functionAppName

@description('The Key Vault with the secret gateway-secret-key.')
output gatewayVault string = vaultName

@description('Azure OpenAI, for `backend.url` in the catalog; empty without one.')
output openAIEndpoint string = openAI != 'none' ? openAIAccess!.outputs.endpoint : ''

@description('Content Safety, for a Backend document in the catalog; empty without one.')
output contentSafetyEndpoint string = contentSafety != 'none' ? contentSafetyAccess!.outputs.endpoint : ''

@description('How to get the first key: for all APIs, printed once.')
output firstKeyCommand string = 'python -m gateway --tables ${storage.outputs.tables} subscriptions create first --scope /apis'

@description('The next command to type. `azd up` does it by itself.')
output nextCommand string = 'func azure functionapp publish ${functionAppName}'
