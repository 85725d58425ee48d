"""What Azure would be asked to make: `main.bicep` with its modules, worked out for given parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tree_sitter import Node

from tests.infra.bicep_file import INFRA, BicepFile, Declaration, literal, properties, read, text
from tests.infra.expressions import Evaluator
from tests.infra.functions import GROUP, LOCATION, functions, resource_id_in

# What Azure adds to a resource that it has made, for those properties that the templates read.
MADE: dict[str, dict[str, str]] = {
    "Microsoft.CognitiveServices/accounts": {"endpoint": "https://{name}.cognitiveservices.azure.com/"},
    "Microsoft.Insights/components": {
        "ConnectionString": "InstrumentationKey=0;IngestionEndpoint=https://{name}.example",
        "WorkspaceResourceId": GROUP + "/providers/Microsoft.OperationalInsights/workspaces/log",
    },
    "Microsoft.KeyVault/vaults": {"vaultUri": "https://{name}.vault.azure.net/"},
    "Microsoft.ManagedIdentity/userAssignedIdentities": {
        "principalId": "aaaaaaaa-1111-4111-8111-000000000000",
        "clientId": "cccccccc-1111-4111-8111-000000000000",
    },
    "Microsoft.Web/sites": {"defaultHostName": "{name}.azurewebsites.net"},
}


class Refused(Exception):
    """Azure would not take these parameters."""


@dataclass
class Resource:
    """A resource as the template asks for it, and the properties that Azure adds."""

    type: str
    version: str
    name: str
    id: str
    body: dict[str, Any]
    existing: bool
    file: str

    def __getitem__(self, key: str) -> Any:
        if key in ("id", "name"):
            return getattr(self, key)
        if key == "properties":
            return {**self.body.get("properties", {}), **self._made()}
        return LOCATION if key == "location" and self.existing else self.body[key]

    def _made(self) -> dict[str, Any]:
        if self.type == "Microsoft.Storage/storageAccounts":
            services = ("blob", "queue", "table")
            return {
                "primaryEndpoints": {each: f"https://{self.name}.{each}.core.windows.net/" for each in services},
            }
        return {key: value.format(name=self.name) for key, value in MADE.get(self.type, {}).items()}


@dataclass
class Deployment:
    """All resources of all modules, and the outputs of the file."""

    resources: list[Resource] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    outputs_of_modules: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def of(self, kind: str) -> list[Resource]:
        """The resources of this type that the deployment makes."""
        return [resource for resource in self.resources if resource.type == kind and not resource.existing]

    def the(self, kind: str) -> Resource:
        """The only one."""
        (resource,) = self.of(kind)
        return resource


def deploy(parameters: Mapping[str, Any] | None = None) -> Deployment:
    """Work out `main.bicep`; raise Refused for parameters that it does not take."""
    return _Scope(read(INFRA / "main.bicep"), dict(parameters or {}), GROUP).run()


def deploy_module(path: Path, parameters: Mapping[str, Any]) -> _Scope:
    """One module by itself, for a look at its variables."""
    return _Scope(read(path), dict(parameters), GROUP)


class _Scope:
    def __init__(self, file: BicepFile, parameters: dict[str, Any], group: str) -> None:
        self._file = file
        self._group = group
        self._known: dict[str, Any] = {}
        self._deployment = Deployment()
        self.evaluator = Evaluator(self.lookup, functions(file.path.parent))
        self._take(parameters)

    def _take(self, parameters: dict[str, Any]) -> None:
        unknown = parameters.keys() - self._file.param.keys()
        if unknown:
            raise Refused(f"{self._file.path.name} has no parameter {', '.join(sorted(unknown))}")
        for name, declared in self._file.param.items():
            if name not in parameters and declared.value is None:
                raise Refused(f"{self._file.path.name} needs {name}")
            given = parameters[name] if name in parameters else self.evaluator.value(_some(declared.value))
            self._check(declared, given)
            self._known[name] = given

    def _check(self, declared: Declaration, given: Any) -> None:
        kind = {"string": str, "int": int, "bool": bool, "object": dict, "array": list}[declared.type]
        if type(given) is not kind:
            raise Refused(f"{self._file.path.name}: {declared.name} must be {declared.type}, and is {given!r}")
        size = len(given) if isinstance(given, str | list | dict) else given
        for decorator, call in declared.decorators.items():
            if decorator in ("secure", "description", "metadata"):
                continue
            (limit,) = [self.evaluator.value(each) for each in call.named_children[1].named_children]
            holds = {
                "allowed": lambda limit=limit: given in limit,
                "minLength": lambda limit=limit: size >= limit,
                "maxLength": lambda limit=limit: size <= limit,
                "minValue": lambda limit=limit: given >= limit,
                "maxValue": lambda limit=limit: given <= limit,
            }[decorator]
            if not holds():
                raise Refused(f"{declared.name}: {decorator} does not hold for {given!r}")

    def lookup(self, name: str) -> Any:
        """A parameter, variable, resource or module, worked out once."""
        if name not in self._known:
            self._known[name] = self._work_out(name)
        return self._known[name]

    def _work_out(self, name: str) -> Any:
        if name in self._file.var:
            return self.evaluator.value(_some(self._file.var[name].value))
        if name in self._file.resource:
            return self._resources(self._file.resource[name])
        if name in self._file.module:
            return self._module(self._file.module[name])
        raise KeyError(f"{self._file.path.name}: nothing is called {name}")

    def run(self) -> Deployment:
        """Everything that is to be made, in the order of the file."""
        for name in [*self._file.resource, *self._file.module, *self._file.var]:
            declared = self._file.resource.get(name) or self._file.module.get(name)
            if declared is None or self._is_wanted(declared):
                self.lookup(name)
        for name, declared in self._file.output.items():
            value = self.evaluator.value(_some(declared.value))
            assert type(value) is {"string": str, "int": int, "bool": bool}[declared.type], name
            self._deployment.outputs[name] = value
        return self._deployment

    def _is_wanted(self, declared: Declaration) -> bool:
        if declared.condition is None:
            return True
        wanted = self.evaluator.value(declared.condition)
        assert isinstance(wanted, bool), f"the condition of {declared.name} is no condition"
        return wanted

    def _resources(self, declared: Declaration) -> Resource | list[Resource]:
        assert self._is_wanted(declared), f"{declared.name} is read, but not deployed"
        if declared.loop is not None:
            return [self._resource(declared, scope, body) for scope, body in self.evaluator.each(declared.loop)]
        return self._resource(declared, self.evaluator, declared.body)

    def _resource(self, declared: Declaration, scope: Evaluator, body: Node) -> Resource:
        values = scope.value(body)
        parent = values.pop("parent", None)
        kind, version = declared.target.split("@")
        # An extension resource belongs to what it is about; everything else to a resource group.
        about = values.pop("scope", None)
        group = about["id"] if about is not None else self._group
        if parent is not None:
            resource_id = f"{parent.id}/{kind.rpartition('/')[2]}/{values['name']}"
        else:
            resource_id = resource_id_in(group, kind, values["name"])
        values.pop("dependsOn", None)
        made = Resource(kind, version, values["name"], resource_id, values, declared.existing, self._file.path.name)
        self._deployment.resources.append(made)
        return made

    def _module(self, declared: Declaration) -> dict[str, Any]:
        assert self._is_wanted(declared), f"{declared.name} is read, but not deployed"
        parts = properties(declared.body)
        for dependency in parts["dependsOn"].named_children if "dependsOn" in parts else []:
            assert text(dependency) in {**self._file.module, **self._file.resource}, text(dependency)
        group = self.evaluator.value(parts["scope"])["id"] if "scope" in parts else self._group
        assert literal(parts["name"])
        below = _Scope(
            read(self._file.path.parent / declared.target), self.evaluator.value(parts["params"]), group
        ).run()
        self._deployment.resources += below.resources
        self._deployment.outputs_of_modules.append((declared.target, below.outputs))
        return {"outputs": below.outputs}


def _some(node: Node | None) -> Node:
    assert node is not None
    return node
