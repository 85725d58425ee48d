// One identity for everything: the host's storage, the gateway's tables, the vault, the models, the metrics.
// User-assigned, so that its roles exist before the app does and outlive it.

param name string
param location string
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: name
  location: location
  tags: tags
}

output id string = identity.id
output principalId string = identity.properties.principalId
output clientId string = identity.properties.clientId
