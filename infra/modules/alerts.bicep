// Four alerts on what the gateway writes to Application Insights. Their queries are in infra/queries.

param namePrefix string
param location string
param tags object
param insightsId string

@description('Who hears of alerts; empty for nobody.')
param email string

@description('The 95th percentile of seconds for an answer above which an alert is raised.')
param latencySeconds int

var rules = [
  {
    name: 'errors'
    title: 'Calls fail'
    text: 'More than 5 % of calls in five minutes failed by the fault of the gateway or of a backend.'
    severity: 1
    query: loadTextContent('../queries/error-rate.kql')
    column: 'FailedPercent'
    threshold: 5
  }
  {
    name: 'latency'
    title: 'Answers are slow'
    text: 'The 95th percentile of the time for an answer was above ${latencySeconds} s for five minutes.'
    severity: 2
    query: loadTextContent('../queries/latency.kql')
    column: 'Seconds'
    threshold: latencySeconds
  }
  {
    name: 'ledger'
    title: 'Limits cannot be checked'
    text: 'Table Storage did not answer when limits were checked. Each instance enforces them by itself, or refuses calls.'
    severity: 1
    query: loadTextContent('../queries/ledger-unavailable.kql')
    column: 'Times'
    threshold: 0
  }
  {
    name: 'safety'
    title: 'Calls are not screened'
    text: 'Content Safety did not answer. Calls are refused, or go through unscreened, as their API says.'
    severity: 1
    query: loadTextContent('../queries/safety-unavailable.kql')
    column: 'Calls'
    threshold: 0
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: '${namePrefix}-people'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'gateway'
    emailReceivers: [
      {
        name: 'email'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2022-06-15' = [for rule in rules: {
  name: '${namePrefix}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Gateway: ${rule.title}'
    description: rule.text
    severity: rule.severity
    enabled: true
    autoMitigate: true
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    scopes: [
      insightsId
    ]
    criteria: {
      allOf: [
        {
          query: rule.query
          metricMeasureColumn: rule.column
          timeAggregation: 'Maximum'
          operator: 'GreaterThan'
          threshold: rule.threshold
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: empty(email) ? [] : [
        people.id
      ]
    }
  }
}]
