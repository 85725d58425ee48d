"""The exporter for Application Insights, with all switched off that is not for its operator."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HTTPPolicy
from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter

EXPORT_SECONDS = 10.0

# Statistics about the exporter itself and a control plane of its own would go to Microsoft and not to the operator. The
# namespace is left out unless it is asked for.
SWITCHES = MappingProxyType(
    {
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true",
        "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
        "APPLICATIONINSIGHTS_METRIC_NAMESPACE_OPT_IN": "true",
    }
)


class Listening(HTTPPolicy[Any, Any]):
    """Tells what becomes of each request."""

    def __init__(self, hear: Callable[[int], None], hear_nothing: Callable[[], None]) -> None:
        super().__init__()
        self._hear = hear
        self._hear_nothing = hear_nothing

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Pass it on."""
        try:
            response = self.next.send(request)
        except ServiceRequestError:
            self._hear_nothing()
            raise
        self._hear(response.http_response.status_code)
        return response


def exporter(
    connection_string: str, hear: Callable[[int], None], hear_nothing: Callable[[], None]
) -> AzureMonitorMetricExporter:
    """An exporter that tells `hear` the status of each answer; raise ValueError if the connection string is none."""
    for name, value in SWITCHES.items():
        # It has no other way to be told.
        os.environ.setdefault(name, value)
    return AzureMonitorMetricExporter(
        connection_string=connection_string,
        disable_offline_storage=True,
        # There is one batch in an interval, and what exceeds this limit would be dropped.
        max_envelopes_per_second=0,
        timeout=EXPORT_SECONDS,
        read_timeout=EXPORT_SECONDS,
        # Where nothing was taken, the next interval tries again.
        retry_total=0,
        custom_hook_policy=Listening(hear, hear_nothing),
    )
