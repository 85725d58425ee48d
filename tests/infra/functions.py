"""The functions of Bicep that the templates use, with what is known of a deployment before there is one."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/somewhere"
LOCATION = "westeurope"


def unique_string(*parts: str) -> str:
    """As many characters as Azure's, 13 of base 32, though not the same ones."""
    digest = hashlib.sha256("-".join(parts).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:13]


def resource_group(subscription: str = SUBSCRIPTION, name: str = "somewhere") -> dict[str, str]:
    """The group of the deployment, or another one."""
    return {"id": f"/subscriptions/{subscription}/resourceGroups/{name}", "name": name, "location": LOCATION}


def resource_id(kind: str, *names: str) -> str:
    """The id of a resource in the group of the deployment."""
    return resource_id_in(GROUP, kind, *names)


def resource_id_in(group: str, kind: str, *names: str) -> str:
    """The id of a resource: provider, then each type with its name."""
    provider, *types = kind.split("/")
    return "/".join([group, "providers", provider, *(part for pair in zip(types, names, strict=True) for part in pair)])


def cidr_subnet(prefix: str, size: int, index: int) -> str:
    """The subnet of this size at this place."""
    return str(list(ipaddress.ip_network(prefix).subnets(new_prefix=size))[index])


def union(*values: dict[str, Any]) -> dict[str, Any]:
    """Objects put together; the later one wins."""
    return {key: value for each in values for key, value in each.items()}


def substring(text: str, start: int, length: int | None = None) -> str:
    """Part of a text; Azure refuses to go past its end."""
    end = len(text) if length is None else start + length
    assert 0 <= start <= end <= len(text)
    return text[start:end]


def functions(folder: Path) -> dict[str, Callable[..., Any]]:
    """By name. `folder` is where the file stands that loads others."""
    return {
        "cidrSubnet": cidr_subnet,
        "contains": lambda whole, part: part in whole,
        "deployer": lambda: {"objectId": "99999999-0000-4000-8000-000000000000"},
        "empty": lambda value: not value,
        "environment": lambda: {"suffixes": {"storage": "core.windows.net"}},
        "filter": lambda values, keep: [value for value in values if keep(value)],
        "guid": lambda *parts: str(uuid.uuid5(uuid.NAMESPACE_URL, "-".join(parts))),
        "indexOf": lambda text, part: text.lower().find(part.lower()),
        "join": lambda values, between: between.join(values),
        "last": lambda values: values[-1],
        "length": len,
        "loadJsonContent": lambda path: json.loads((folder / path).read_text()),
        "loadTextContent": lambda path: (folder / path).read_text(),
        "map": lambda values, change: [change(value) for value in values],
        "newGuid": lambda: str(uuid.uuid4()),
        "range": lambda start, count: list(range(start, start + count)),
        "replace": lambda text, old, new: text.replace(old, new),
        "resourceGroup": resource_group,
        "resourceId": resource_id,
        "split": lambda text, between: text.split(between),
        "string": lambda value: value if isinstance(value, str) else json.dumps(value, separators=(",", ":")),
        "subscriptionResourceId": lambda kind, *names: resource_id_in(f"/subscriptions/{SUBSCRIPTION}", kind, *names),
        "substring": substring,
        "take": lambda text, count: text[:count],
        "tenant": lambda: {"tenantId": "77777777-8888-4999-8000-aaaaaaaaaaaa"},
        "toLower": str.lower,
        "union": union,
        "uniqueString": unique_string,
    }
