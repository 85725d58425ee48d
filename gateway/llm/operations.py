"""The operations of an OpenAI API: which paths exist, which methods they take, and how their bodies are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.errors import CallerError


@dataclass(frozen=True, slots=True)
class Operation:
    """What a request asks for. `path` goes behind the backend's URL, percent-encoded as the caller sent it.

    `parsed` means a JSON body, read whole before it is forwarded; otherwise the body streams through.
    `deployment` is set for Azure OpenAI's paths.
    """

    name: str
    path: str
    parsed: bool
    deployment: str | None = None


@dataclass(frozen=True, slots=True)
class _Route:
    methods: tuple[str, ...]
    parsed: bool = False
    takes_rest: bool = False


def _routes(**routes: _Route) -> Mapping[str, _Route]:
    return MappingProxyType({name.replace("__", "/"): route for name, route in routes.items()})


ROUTES = _routes(
    chat__completions=_Route(("POST",), parsed=True),
    completions=_Route(("POST",), parsed=True),
    embeddings=_Route(("POST",), parsed=True),
    responses=_Route(("POST",), parsed=True),
    moderations=_Route(("POST",), parsed=True),
    images__generations=_Route(("POST",), parsed=True),
    images__edits=_Route(("POST",)),
    images__variations=_Route(("POST",)),
    audio__speech=_Route(("POST",), parsed=True),
    audio__transcriptions=_Route(("POST",)),
    audio__translations=_Route(("POST",)),
    models=_Route(("GET",)),
)

# Below these, one or more segments name a thing that was made before, or a model (whose name may hold slashes).
CHILD_ROUTES = MappingProxyType(
    {
        "models": _Route(("GET",), takes_rest=True),
        "responses": _Route(("GET", "DELETE", "POST"), takes_rest=True),
    }
)


def openai_operation(method: str, rest: str) -> Operation:
    """The operation at `rest`, the raw path below the API's own. Raises CallerError: 404 or 405."""
    deployment, path = _without_prefixes(rest)
    route = ROUTES.get(path) or _child(path)
    if route is None:
        raise CallerError("OperationNotFound")
    if method not in route.methods:
        raise CallerError("MethodNotAllowed", headers={"allow": ", ".join(route.methods)})
    name = path.split("/")[0] if route.takes_rest else path
    target = path if deployment is None else f"openai/deployments/{deployment}/{path}"
    return Operation(name, target, route.parsed and method == "POST", deployment)


def passthrough_operation(method: str, rest: str) -> Operation:
    """Any method at any path."""
    return Operation(method, rest, parsed=False)


def _without_prefixes(rest: str) -> tuple[str | None, str]:
    path = rest.removeprefix("v1/")
    azure = path.removeprefix("openai/")
    if azure.startswith("deployments/"):
        deployment, _, path = azure.removeprefix("deployments/").partition("/")
        return deployment, path if deployment else ""
    # Azure OpenAI's newer form, /openai/v1/chat/completions.
    return None, azure.removeprefix("v1/") if azure != path else path


def _child(path: str) -> _Route | None:
    head, _, tail = path.partition("/")
    return CHILD_ROUTES.get(head) if tail else None
