// Key Vault for the two secrets that the gateway has: the key that encrypts named values, and the URL of a Redis.

param name string
param location string
param tags object

@description('The identity of the app, which reads secrets.')
param principalId string

@description('Who manages the gateway, and rotates secrets.')
param administratorId string

@description('The URL of a Redis; empty for none.')
@secure()
param redis string

@description('The Log Analytics workspace for the audit log; empty for none.')
param workspaceId string

@description('Randomness for the first key, new in each deployment.')
@secure()
param seedA string = newGuid()

@description('More of it.')
@secure()
param seedB string = newGuid()

@description('More of it.')
@secure()
param seedC string = newGuid()

var roles = loadJsonContent('../roles.json')

// A key is 32 random bytes, as 43 characters of URL-safe base64 and "=". Of the 32 hexadecimal digits of a UUID 30 are random
// (one tells the version, one the variant); three digits make two characters, and the last character holds 4 bits.
var alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
var hexadecimal = '0123456789abcdef'
var seeds = map([seedA, seedB, seedC], seed => split(toLower(seed), '-'))
var digits = join(map(seeds, parts => '${parts[0]}${parts[1]}${substring(parts[2], 1, 3)}${substring(parts[3], 1, 3)}${parts[4]}'), '')
var values = map(range(0, 64), i => indexOf(hexadecimal, substring(digits, i, 1)))
var firsts = map(range(0, 21), i => (values[3 * i] * 4) + (values[(3 * i) + 1] / 4))
var seconds = map(range(0, 21), i => ((values[(3 * i) + 1] % 4) * 16) + (values[(3 * i) + 2]))
var pairs = map(range(0, 21), i => '${substring(alphabet, firsts[i], 1)}${substring(alphabet, seconds[i], 1)}')
var firstKey = '${join(pairs, '')}${substring(alphabet, values[63] * 4, 1)}='

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    // Purge protection would be in the way of deploying again under the same name after `azd down --purge`.
    softDeleteRetentionInDays: 90
  }
}

// Made once: a deployment that wrote a new key would make every named value unreadable.
@onlyIfNotExists()
resource secretKey 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'gateway-secret-key'
  properties: {
    value: firstKey
    contentType: 'Keys of the gateway, separated by commas: the first encrypts, all decrypt'
  }
}

resource redisUrl 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = if (!empty(redis)) {
  parent: vault
  name: 'gateway-redis'
  properties: {
    value: redis
  }
}

resource appRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, 'Key Vault Secrets User')
  scope: vault
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Key Vault Secrets User'])
  }
}

resource administratorRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, administratorId, 'Key Vault Secrets Officer')
  scope: vault
  properties: {
    principalId: administratorId
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Key Vault Secrets Officer'])
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (!empty(workspaceId)) {
  name: 'gateway'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'AuditEvent'
        enabled: true
      }
    ]
  }
}

// Addresses, not values. Without a version, so that the app follows when a secret is rotated, and with the slash that
// Microsoft writes at the end of such.
output keysUri string = '${vault.properties.vaultUri}secrets/${secretKey.name}/'
output redisUri string = empty(redis) ? '' : '${vault.properties.vaultUri}secrets/gateway-redis/'
