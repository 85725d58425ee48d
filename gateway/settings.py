"""Settings come from the environment, once, and every fault is reported at once."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import ConfigurationError

FERNET_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")


DEVELOPMENT_STORAGE = re.compile(r"UseDevelopmentStorage=true;?", re.IGNORECASE)
ACCOUNT_URL = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[^\s?#]*)?", re.IGNORECASE)
OTHER_SERVICES = re.compile(r"https://[A-Za-z0-9-]+\.(blob|queue|file|dfs|vault)\.", re.IGNORECASE)
HTTP_URL = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?", re.IGNORECASE)
TABLES_FORMS = (
    'must be a Table Storage connection string with AccountName and AccountKey, "UseDevelopmentStorage=true", '
    "or the URL of an account such as https://NAME.table.core.windows.net"
)


def _setting(name: str, default: Any, parse: Callable[[str], Any], text: str, *, is_secret: bool = False) -> Any:
    return field(default=default, metadata={"name": name, "parse": parse, "text": text}, repr=not is_secret)


def _tables(text: str) -> str:
    if DEVELOPMENT_STORAGE.fullmatch(text):
        return text
    if ACCOUNT_URL.fullmatch(text) and not OTHER_SERVICES.match(text):
        return text
    pairs = [part.strip().partition("=") for part in text.split(";") if part.strip()]
    parts = {name.lower(): value for name, _, value in pairs}
    if not all(parts.values()):
        raise ValueError(TABLES_FORMS)
    if "accountname" in parts and "accountkey" in parts:
        _check_account_key(parts["accountkey"])
    elif "tableendpoint" not in parts or "sharedaccesssignature" not in parts:
        raise ValueError(TABLES_FORMS)
    return text


def _check_account_key(key: str) -> None:
    try:
        base64.b64decode(key, validate=True)
    except binascii.Error:
        raise ValueError("its AccountKey is not base64; copy the connection string again, whole") from None


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 86_400:
        raise ValueError(f'must be a number of seconds above 0 and at most 86400, such as 30, and is "{text}"')
    return value


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise ValueError(f'must be a whole number of at least 1, such as 1000, and is "{text}"')
    return int(text)


def _milliseconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) > 0):
        raise ValueError(f'must be a whole number of milliseconds, such as 60000, and is "{text}"')
    return int(text)


def _http_url(text: str) -> str:
    if not HTTP_URL.fullmatch(text):
        raise ValueError("must be a URL with http:// or https://, such as http://localhost:4318")
    return text


def _redis_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        found = parts.scheme in ("redis", "rediss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        found = False
    if not found:
        # Not shown: there may be a password in it.
        raise ValueError("must be a URL such as rediss://:PASSWORD@NAME.region.redis.azure.net:10000")
    return text


def _function_auth(text: str) -> str:
    if text not in ("anonymous", "function"):
        raise ValueError('must be "anonymous" or "function"')
    return text


KEY_VAULT_REFERENCE = "@Microsoft.KeyVault("
UNRESOLVED = (
    "is a Key Vault reference that Azure has not resolved: give the app's identity its role on the vault, then have "
    "the reference fetched again by changing any app setting. Do not replace it"
)


def _secret_keys(text: str) -> tuple[str, ...]:
    keys = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(FERNET_KEY.fullmatch(key) for key in keys):
        raise ValueError(
            "each key must be 32 random bytes in URL-safe base64; make one with `python -m gateway secret-key`"
        )
    return keys


def _log_level(text: str) -> str:
    level = text.upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
    return level


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. `docs/settings.md` describes each; a test compares the two."""

    tables: str = _setting(
        "GATEWAY_TABLES",
        "",
        _tables,
        "Table Storage: a connection string, or the account's URL for managed identity",
        is_secret=True,
    )
    secret_keys: tuple[str, ...] = _setting(
        "GATEWAY_SECRET_KEY",
        (),
        _secret_keys,
        "keys that encrypt named values; the first encrypts, all decrypt",
        is_secret=True,
    )
    azure_client_id: str | None = _setting(
        "AZURE_CLIENT_ID", None, str, "client id of the user-assigned managed identity"
    )
    function_auth: str = _setting(
        "GATEWAY_FUNCTION_AUTH", "anonymous", _function_auth, "function: the host asks for its own key first"
    )
    catalog_poll_seconds: float = _setting(
        "GATEWAY_CATALOG_POLL_SECONDS", 2.0, _seconds, "how often the catalog's revision is read while there is traffic"
    )
    key_cache_seconds: float = _setting(
        "GATEWAY_KEY_CACHE_SECONDS", 30.0, _seconds, "how long a known key is served without asking storage again"
    )
    unknown_key_cache_seconds: float = _setting(
        "GATEWAY_UNKNOWN_KEY_CACHE_SECONDS", 5.0, _seconds, "how long an unknown key is refused without asking storage"
    )
    key_cache_size: int = _setting("GATEWAY_KEY_CACHE_SIZE", 50_000, _count, "how many keys an instance remembers")
    keep_alive_comment_seconds: float = _setting(
        "GATEWAY_KEEP_ALIVE_COMMENT_SECONDS", 15.0, _seconds, "silence on an event stream before a comment line is sent"
    )
    max_backend_connections: int = _setting(
        "GATEWAY_MAX_BACKEND_CONNECTIONS", 1_000, _count, "open connections to one backend, an instance"
    )
    cache: str = _setting(
        "GATEWAY_CACHE", "", _redis_url, "where the semantic cache is, in place of Table Storage: Redis", is_secret=True
    )
    cache_memory_megabytes: int = _setting(
        "GATEWAY_CACHE_MEMORY_MB", 256, _count, "what the cache's entries and vectors may take of an instance's memory"
    )
    cache_answers_megabytes: int = _setting(
        "GATEWAY_CACHE_ANSWERS_MB", 64, _count, "what the cache's answers may take of an instance's memory"
    )
    usage_flush_seconds: float = _setting(
        "GATEWAY_USAGE_FLUSH_SECONDS", 2.0, _seconds, "how often usage is written while there are calls"
    )
    application_insights: str = _setting(
        "APPLICATIONINSIGHTS_CONNECTION_STRING", "", str, "where metrics go: Application Insights", is_secret=True
    )
    otlp_endpoint: str = _setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT", "", _http_url, "where metrics go: OpenTelemetry's protocol", is_secret=True
    )
    metric_export_interval: int = _setting(
        "OTEL_METRIC_EXPORT_INTERVAL", 60_000, _milliseconds, "how often metrics are exported, in milliseconds"
    )
    site_name: str = _setting("WEBSITE_SITE_NAME", "gateway", str, "the app's name in metrics; set by Azure")
    region: str | None = _setting("REGION_NAME", None, str, "the app's region in metrics; set by Azure")
    log_level: str = _setting("GATEWAY_LOG_LEVEL", "INFO", _log_level, "the least level of log lines written")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read every setting; raise ConfigurationError with one sentence for each that cannot be used."""
        values: dict[str, Any] = {}
        faults: list[str] = []
        for item in fields(cls):
            name = item.metadata["name"]
            if name == "GATEWAY_TABLES" and not environment.get(name, "").strip():
                # The Functions host always has a storage account; using it by default saves a setting.
                name = "AzureWebJobsStorage"
            text = environment.get(name, "").strip()
            try:
                if text.startswith(KEY_VAULT_REFERENCE):
                    raise ValueError(UNRESOLVED)
                if text:
                    values[item.name] = item.metadata["parse"](text)
                elif item.name == "tables":
                    faults.append("GATEWAY_TABLES: set it to a Table Storage connection string or account URL")
            except ValueError as error:
                faults.append(f"{name}: {error}")
        if faults:
            raise ConfigurationError(faults)
        return cls(**values)
