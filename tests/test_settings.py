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


FORMS: dict[str, bool] = {
    "UseDevelopmentStorage=true": True,
    "usedevelopmentstorage=TRUE;": True,
    "https://account.table.core.windows.net": True,
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net": True,
    "TableEndpoint=https://a.table.core.windows.net;SharedAccessSignature=sv=1&sig=x": True,
    "accountname=a;accountkey=c2VjcmV0": True,
    "garbage": False,
    "AccountName=a;AccountKey=c2VjcmV0;garbage": False,
    "BlobEndpoint=https://a.blob.core.windows.net;SharedAccessSignature=sv=1&sig=x": False,
    "https://the account.table.core.windows.net": False,
    "AccountName=a": False,
    "AccountName=a;AccountKey=": False,
    "AccountName=a;AccountKey=not base64!": False,
    "http://account.table.core.windows.net": False,
    "https://account.blob.core.windows.net": False,
    "https://account.table.core.windows.net?sv=2019-02-02&sig=c2VjcmV0": False,
    "https://": False,
}


@pytest.mark.parametrize("name", ["GATEWAY_TABLES", "AzureWebJobsStorage"])
@pytest.mark.parametrize(("text", "is_good"), FORMS.items())
def test_the_forms_of_the_tables_setting(name: str, text: str, is_good: bool) -> None:
    """What cannot lead to Table Storage is a fault at the start, under its own name, and is not repeated."""
    if is_good:
        assert Settings.from_environment({name: text}).tables == text
        return
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_environment({name: text})
    (fault,) = refused.value.faults
    assert fault.startswith(f"{name}: ")
    assert text == "https://" or text not in fault


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "GATEWAY_KEY_CACHE_SECONDS",
            "soon",
            'must be a number of seconds above 0 and at most 86400, such as 30, and is "soon"',
        ),
        ("GATEWAY_KEY_CACHE_SECONDS", "nan", 'and is "nan"'),
        ("GATEWAY_KEY_CACHE_SECONDS", "1e9", 'and is "1e9"'),
        ("GATEWAY_KEY_CACHE_SIZE", "1.5", 'must be a whole number of at least 1, such as 1000, and is "1.5"'),
        ("GATEWAY_KEY_CACHE_SIZE", "9" * 5000, "must be a whole number"),
        ("GATEWAY_KEY_CACHE_SIZE", "²", 'and is "²"'),
    ],
)
def test_a_number_that_is_none(name: str, text: str, said: str) -> None:
    """The sentence says what is wanted, an example, and what is there."""
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_environment({name: text, "GATEWAY_TABLES": "UseDevelopmentStorage=true"})
    assert said in str(refused.value)


def test_no_secret_shows_in_the_settings() -> None:
    """Whatever prints them prints neither the account's key nor the keys of named values."""
    environment = {"GATEWAY_TABLES": "AccountName=a;AccountKey=c2VjcmV0", "GATEWAY_SECRET_KEY": "A" * 43 + "="}
    shown = repr(Settings.from_environment(environment))
    assert "c2VjcmV0" not in shown
    assert "AAAA" not in shown
