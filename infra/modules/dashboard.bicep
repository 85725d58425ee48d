// The workbook "AI gateway": tokens, cost, refusals, latency, cache and content safety.

param location string
param tags object
param insightsId string

@description('US dollars for a million tokens, by model, written as in the catalog.')
param prices object

// Inside the workbook, which is JSON, the prices stand in a text that is JSON itself.
var pricesText = replace(string(prices), '"', '\\"')

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  // A workbook's name is a UUID: the same one for the same Application Insights, so that it is replaced and not added to.
  name: guid(resourceGroup().id, insightsId, 'gateway workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'AI gateway'
    category: 'workbook'
    sourceId: insightsId
    serializedData: replace(replace(loadTextContent('../workbook.json'), '__insightsId__', insightsId), '__prices__', pricesText)
  }
}
