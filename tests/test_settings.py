"""Settings: read once, all faults at once."""

import pytest

from gateway.errors import ConfigurationError
from gateway.settings import Settings


def test_defaults() -> None:
    """Only the tables must be named."""
    settings = Settings.from_environment({"GATEWAY_TABLES": "UseDevelopmentStorage=true"})
    assert (settings.tables, settings.key_cache_seconds, settings.secret_keys) == (
        "UseDevelopmentStorage=true",
        30.0,
        (),
    )


def test_the_hosts_storage_serves_by_default() -> None:
    """AzureWebJobsStorage is used when GATEWAY_TABLES is not set."""
    assert (
        Settings.from_environment({"AzureWebJobsStorage": "UseDevelopmentStorage=true"}).tables
        == "UseDevelopmentStorage=true"
    )


def test_every_fault_is_reported_at_once() -> None:
    """One sentence for each wrong setting, and none shows the value of a secret."""
    environment = {
        "GATEWAY_SECRET_KEY": "hunter2",
        "GATEWAY_FUNCTION_AUTH": "maybe",
        "GATEWAY_KEY_CACHE_SECONDS": "-1",
        "GATEWAY_KEY_CACHE_SIZE": "many",
        "GATEWAY_LOG_LEVEL": "LOUD",
    }
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_environment(environment)
    assert {fault.partition(":")[0] for fault in refused.value.faults} == {*environment, "GATEWAY_TABLES"}
    assert "hunter2" not in str(refused.value)
