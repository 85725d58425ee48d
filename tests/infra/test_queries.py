"""The queries of the workbook, the alerts and the documents: they are Kusto, and ask for what the gateway writes."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import CODES
from gateway.telemetry import instruments
from tests.infra.bicep_file import INFRA
from tests.infra.deployment import deploy

ROOT = INFRA.parent
CHECK = Path(__file__).with_name("kusto_faults.cjs")

# learn.microsoft.com/azure/azure-monitor/app/data-model-complete, as the tables are called within Application Insights.
TABLES = {
    "traces": "(timestamp: datetime, message: string, severityLevel: int, itemType: string, customDimensions: dynamic, "
    "customMeasurements: dynamic, operation_Name: string, operation_Id: string, operation_ParentId: string, "
    "cloud_RoleName: string, cloud_RoleInstance: string, appName: string, itemCount: int)",
    "customMetrics": "(timestamp: datetime, name: string, value: real, valueCount: int, valueSum: real, "
    "valueMin: real, valueMax: real, valueStdDev: real, customDimensions: dynamic, operation_Name: string, "
    "operation_Id: string, operation_ParentId: string, cloud_RoleName: string, cloud_RoleInstance: string, "
    "appName: string, itemCount: int)",
}


def workbook_queries() -> dict[str, str]:
    """By name, with values in the place of the workbook's parameters."""
    workbook = json.loads((INFRA / "workbook.json").read_text())
    items = [item for item in workbook["items"] if item["type"] == 3]
    given = {"{TimeRange:grain}": "5m", "{Prices}": '{"*": {"input": 1.5, "output": 2}}'}
    queries = {}
    for item in items:
        query: str = item["content"]["query"]
        for parameter, value in given.items():
            query = query.replace(parameter, value)
        queries[f"workbook: {item['name']}"] = query
    return queries


def all_queries() -> dict[str, str]:
    """Every query of the repository that is for Application Insights, by where it stands."""
    alerts = {f"alert: {path.stem}": path.read_text() for path in sorted((INFRA / "queries").glob("*.kql"))}
    documents = {}
    for path in sorted((ROOT / "docs").glob("*.md")):
        found = re.findall(r"^```kusto\n(.*?)^```", path.read_text(), flags=re.MULTILINE | re.DOTALL)
        documents.update({f"{path.name}: {number}": query for number, query in enumerate(found, 1)})
    return {**workbook_queries(), **alerts, **documents}


def faults_of(queries: dict[str, str]) -> dict[str, list[str]]:
    """What Microsoft's own parser finds; a column or table that is not in TABLES is a fault too."""
    environment = {**os.environ, "NODE_PATH": str(ROOT / "node_modules")}
    done = subprocess.run(
        ["node", str(CHECK)],
        input=json.dumps({"tables": TABLES, "queries": queries}),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    faults: dict[str, list[str]] = json.loads(done.stdout)
    return faults


def test_every_query_is_kusto_on_tables_and_columns_that_exist() -> None:
    """Parsed and bound, not only looked at."""
    queries = all_queries()
    assert len(queries) >= 20
    faults = faults_of(queries)
    assert faults.keys() == queries.keys()
    assert {name: found for name, found in faults.items() if found} == {}


@pytest.mark.parametrize(
    "query",
    [
        "trace | count",
        "traces | where massage == 'x'",
        "traces | summarise count()",
        "customMetrics | summarize sum(valueSum) by customDimensions.x",
    ],
)
def test_a_wrong_query_is_noticed(query: str) -> None:
    """A table, a column, an operator and a grouping that Kusto does not take."""
    assert faults_of({"wrong": query})["wrong"]


def documented_fields() -> set[str]:
    """The fields of a line of the request log."""
    text = (ROOT / "docs/request-log.md").read_text()
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", text, flags=re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize(("name", "query"), all_queries().items(), ids=all_queries().keys())
def test_a_query_asks_for_what_the_gateway_writes(name: str, query: str) -> None:
    """Fields of the request log, names of metrics, their dimensions, and codes of errors."""
    fields = set(re.findall(r"\b[lL]ine\.(\w+)", query))
    assert fields <= documented_fields()
    assert set(re.findall(r'\.code == "(\w+)"', query)) <= CODES.keys()
    metrics = (ROOT / "docs/metrics.md").read_text()
    assert [each for each in re.findall(r'\bname == "([^"]+)"', query) if f"`{each}`" not in metrics] == []
    for dimension in re.findall(r'customDimensions\["([^"]+)"\]', query):
        assert f"`{dimension}`" in metrics or f"    {dimension}: " in metrics, dimension
    if "traces" in query:
        assert fields, "a query of the log reads its lines"


def test_the_metrics_of_the_workbook_are_instruments() -> None:
    """Named in the code, not only in a document."""
    named = {
        each
        for query in {**workbook_queries(), "ledger": (INFRA / "queries/ledger-unavailable.kql").read_text()}.values()
        for each in re.findall(r'\bname == "([^"]+)"', query)
    }
    known = Path(instruments.__file__).read_text()
    assert named
    assert [name for name in named if f'"{name}"' not in known] == []


def alert_rules() -> dict[str, dict[str, Any]]:
    """The four rules, by the end of their names."""
    rules = deploy({"alertLatencySeconds": 12}).of("Microsoft.Insights/scheduledQueryRules")
    return {rule.name.rpartition("-")[2]: rule["properties"] for rule in rules}


def test_there_are_four_alerts_and_each_measures_a_column_of_its_query() -> None:
    """The last operator that names columns gives the one that is measured."""
    rules = alert_rules()
    assert rules.keys() == {"errors", "latency", "ledger", "safety"}
    files = {path.read_text() for path in (INFRA / "queries").glob("*.kql")}
    assert {rule["criteria"]["allOf"][0]["query"] for rule in rules.values()} == files
    criteria = {name: rule["criteria"]["allOf"][0] for name, rule in rules.items()}
    measured = {
        name: f"{each['query']}\n| summarize todouble(max({each['metricMeasureColumn']}))"
        for name, each in criteria.items()
    }
    assert not any(faults_of(measured).values())
    assert rules["latency"]["criteria"]["allOf"][0]["threshold"] == 12


def test_alert_queries_leave_time_to_the_rule() -> None:
    """The rule's window bounds what is read; a query that bounds it too would miss what comes late."""
    assert [name for name, query in all_queries().items() if name.startswith("alert") and "ago(" in query] == []


def test_the_workbook_shows_what_was_asked_for() -> None:
    """Tokens by subscription and model, cost, refusals, latency, cache hits, safety blocks."""
    shown = {name.partition(": ")[2] for name in workbook_queries()}
    assert {
        "tokens-by-subscription",
        "tokens-by-model",
        "cost",
        "refusals",
        "latency-over-time",
        "cache",
        "safety-blocks",
    } <= shown


def test_every_parameter_of_a_workbook_query_is_a_parameter_of_the_workbook() -> None:
    """`{Name}` and `{Name:format}` are replaced by the workbook before Kusto sees them."""
    workbook = json.loads((INFRA / "workbook.json").read_text())
    (parameters,) = (item["content"]["parameters"] for item in workbook["items"] if item["type"] == 9)
    names = {each["name"] for each in parameters}
    for item in workbook["items"]:
        if item["type"] == 3:
            used = set(re.findall(r"\{(\w+)(?::\w+)?\}", item["content"]["query"]))
            assert used <= names
            assert item["content"]["timeContextFromParameter"] in names
