"""The settings of metrics: a wrong one is named at the start, and none shows a key."""

import pytest

from gateway.errors import ConfigurationError
from gateway.settings import Settings

TABLES = {"GATEWAY_TABLES": "UseDevelopmentStorage=true"}
WRONG = {
    "no scheme": ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"),
    "another scheme": ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://localhost:4317"),
    "a query": ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318/?key=x"),
    "no time": ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
    "seconds": ("OTEL_METRIC_EXPORT_INTERVAL", "60s"),
    "very long": ("OTEL_METRIC_EXPORT_INTERVAL", "9" * 5_000),
}


@pytest.mark.parametrize(("name", "text"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_used(name: str, text: str) -> None:
    """Is a fault under its own name."""
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_environment({**TABLES, name: text})
    (fault,) = refused.value.faults
    assert fault.startswith(f"{name}: must be a ")


def test_what_can_be_used() -> None:
    """As OpenTelemetry and Azure have it; what may hold a key does not show."""
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://user:hunter2@collector.example:4318/otlp",
        "OTEL_METRIC_EXPORT_INTERVAL": "5000",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=hunter2",
        "WEBSITE_SITE_NAME": "my-gateway",
    }
    settings = Settings.from_environment({**TABLES, **environment})
    assert settings.metric_export_interval == 5_000
    assert (settings.site_name, settings.region) == ("my-gateway", None)
    assert "hunter2" not in repr(settings)
