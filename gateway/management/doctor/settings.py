"""The app's settings, and what can be told of them without asking anybody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches

from gateway.catalog.models import Document, StoredNamedValue
from gateway.catalog.secrets import SecretBox, SecretFault
from gateway.management.doctor.finding import Finding
from gateway.settings import UNRESOLVED, Settings

SET = "az functionapp config appsettings set --resource-group GROUP --name APP --settings"
OURS = "GATEWAY_"
NEARLY = 0.9
FETCHED_AGAIN = f'`{SET} "GATEWAY_REFERENCES_FETCHED=$(date +%s)"`, some minutes after the role was given.'
NEED_SETTINGS = ("storage", "secret key", "catalog", "backends", "embeddings", "content safety", "telemetry")
INSTRUMENTATION_KEY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def faults_of_settings(faults: Sequence[str]) -> Iterator[Finding]:
    """Those of a ConfigurationError, and what they leave unknown. Values are not repeated."""
    for fault in faults:
        name, _, reason = fault.partition(":")
        if reason.strip() == UNRESOLVED:
            yield Finding("settings", "failed", f"{name}: {UNRESOLVED}.", FETCHED_AGAIN)
            continue
        mend = f'Locally in local.settings.json or the environment; on Azure `{SET} "{name}=…"` (docs/settings.md).'
        yield Finding("settings", "failed", f"{name}:{reason}.", mend)
    for check in NEED_SETTINGS:
        yield Finding(check, "skipped", "It cannot be looked at without the settings.")


def check_names(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Names of the environment that are nearly a setting's."""
    known = {item.metadata["name"] for item in fields(Settings)}
    for name in sorted(environment):
        if name in known or not name.upper().startswith(OURS):
            continue
        meant = get_close_matches(name.upper(), known, n=1, cutoff=NEARLY)
        if meant:
            said = f"{name} is no setting, and nobody reads it."
            yield Finding("settings", "warning", said, f"If {meant[0]} is meant, call it so.")


def check_secret_key(settings: Settings, documents: Sequence[Document]) -> Finding:
    """Whether named values can be encrypted, and those that are can be decrypted."""
    sealed = [each for each in documents if isinstance(each, StoredNamedValue) and each.encrypted_value is not None]
    make = f'`{SET} "GATEWAY_SECRET_KEY=$(python -m gateway secret-key)"`'
    if not settings.secret_keys:
        if sealed:
            said = f"GATEWAY_SECRET_KEY is missing, and {len(sealed)} named values are encrypted."
            return Finding("secret key", "failed", said, "Set it to the key with which they were written.")
        said = "GATEWAY_SECRET_KEY is missing: secrets cannot be kept in the catalog."
        return Finding("secret key", "warning", said, f"Make one: {make}.")
    box = SecretBox(settings.secret_keys)
    try:
        box.decrypt(box.encrypt("doctor"))
    except SecretFault as fault:
        return Finding("secret key", "failed", f"{fault}.", f"Make a new one: {make}.")
    broken = [each.name for each in sealed if not _opens(box, each)]
    if broken:
        said = f"It does not decrypt the named values {', '.join(broken)}."
        mend = "Add the older key behind it, with a comma between, or `python -m gateway named-values set NAME`."
        return Finding("secret key", "failed", said, mend)
    old = [each.name for each in sealed if not box.is_current(each.encrypted_value or "")]
    if old:
        mend = "Write them once more with `python -m gateway named-values set NAME` before the older key is removed."
        return Finding("secret key", "warning", f"An older key encrypts {', '.join(old)}.", mend)
    return Finding("secret key", "ok", f"It encrypts, and decrypts all that is stored: {len(sealed)} named values.")


def check_telemetry(environment: Mapping[str, str], settings: Settings) -> Iterator[Finding]:
    """Whether metrics have somewhere to go, by the shape of what is set."""
    text = settings.application_insights
    if text:
        parts = dict(part.partition("=")[::2] for part in text.split(";") if part.strip())
        if not INSTRUMENTATION_KEY.fullmatch(parts.get("InstrumentationKey", "").strip()):
            name = "APPLICATIONINSIGHTS_CONNECTION_STRING"
            said = f"{name} has no InstrumentationKey, so metrics go nowhere."
            mend = (
                f'`{SET} "{name}=$(az monitor app-insights component show --app NAME --resource-group GROUP '
                '--query connectionString --output tsv)"`'
            )
            yield Finding("telemetry", "failed", said, mend)
        else:
            yield Finding("telemetry", "ok", "Metrics go to Application Insights.")
    if settings.otlp_endpoint:
        yield Finding("telemetry", "ok", "Metrics go to the endpoint of OTEL_EXPORTER_OTLP_ENDPOINT.")
    if not (text or settings.otlp_endpoint):
        yield Finding("telemetry", "skipped", "No metrics are exported: nothing says where to (docs/metrics.md).")


def _opens(box: SecretBox, named_value: StoredNamedValue) -> bool:
    try:
        box.decrypt(named_value.encrypted_value or "")
    except SecretFault:
        return False
    return True
