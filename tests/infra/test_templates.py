"""The Bicep files by themselves: they are Bicep, they fit together, and nothing in them is left over."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pycep import BicepParser

from tests.infra.azure import ROLES
from tests.infra.bicep_file import FILES, INFRA, MODULES, BicepFile, properties, read, text, walk

EVERY_FILE = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


@pytest.fixture(scope="module")
def pycep() -> BicepParser:
    """The other parser: a grammar of its own, on lark."""
    return BicepParser(cache=False)


@EVERY_FILE
def test_two_parsers_read_the_same_declarations(path: Path, pycep: BicepParser) -> None:
    """What one of them takes for something else, somebody else will, too."""
    file, other = read(path), pycep.parse(text=path.read_text())
    assert set(file.param) == set(other.get("parameters", {}))
    assert set(file.var) == set(other.get("variables", {}))
    assert set(file.resource) == set(other.get("resources", {}))
    assert set(file.module) == set(other.get("modules", {}))
    assert set(file.output) == set(other.get("outputs", {}))


def test_a_broken_file_is_noticed(tmp_path: Path) -> None:
    """The parser's own errors count, not only what it throws."""
    broken = tmp_path / "broken.bicep"
    broken.write_text("param name string = \nresource x 'A/b@2024-01-01' = {\n")
    with pytest.raises(ValueError, match=r"broken\.bicep:"):
        read(broken)


def _passed(file: BicepFile, name: str) -> set[str]:
    return set(properties(properties(file.module[name].body)["params"]))


def test_every_parameter_of_a_module_is_passed_and_declared() -> None:
    """What has no default is passed, and nothing is passed that the module does not know."""
    main = read(INFRA / "main.bicep")
    for name, declared in main.module.items():
        module = read(INFRA / declared.target)
        needed = {each for each, parameter in module.param.items() if parameter.value is None}
        passed = _passed(main, name)
        assert needed <= passed, f"{name} lacks {needed - passed}"
        assert passed <= set(module.param), f"{name} does not know {passed - set(module.param)}"


def test_every_module_is_used_and_named_once() -> None:
    """No file lies about unused; two modules of one name would overwrite each other's deployment."""
    main = read(INFRA / "main.bicep")
    assert {INFRA / declared.target for declared in main.module.values()} == set(MODULES)
    names = [text(properties(declared.body)["name"]) for declared in main.module.values()]
    assert len(names) == len(set(names))


@EVERY_FILE
def test_nothing_is_left_over(path: Path) -> None:
    """Every parameter, every variable and every existing resource is used somewhere else in its file."""
    file = read(path)
    used = [text(node) for node in walk(file.root) if node.type == "identifier"]
    declared = [*file.param, *file.var, *(name for name, each in file.resource.items() if each.existing)]
    # Keys of objects are identifiers too; one that is called like a parameter is not taken for its use.
    keys = [text(node.named_children[0]) for node in walk(file.root) if node.type == "object_property"]
    assert [name for name in declared if used.count(name) - keys.count(name) < 2] == []


@EVERY_FILE
def test_every_output_of_a_module_is_read(path: Path) -> None:
    """An output that nobody reads only shows in the deployment's history."""
    if path.parent.name != "modules":
        return
    main = (INFRA / "main.bicep").read_text()
    symbols = [name for name, each in read(INFRA / "main.bicep").module.items() if (INFRA / each.target) == path]
    for output in read(path).output:
        assert any(re.search(rf"\b{symbol}!?\.outputs\.{output}\b", main) for symbol in symbols), output


def test_what_people_may_set_is_described() -> None:
    """Each parameter and output of main.bicep says what it is."""
    main = read(INFRA / "main.bicep")
    assert [name for name, each in (main.param | main.output).items() if "description" not in each.decorators] == []


def test_secrets_are_secure_parameters() -> None:
    """Azure keeps values of other parameters in the deployment's history."""
    main, vault = read(INFRA / "main.bicep"), read(INFRA / "modules/vault.bicep")
    secret = {"main": ["redis"], "vault": ["redis", "seedA", "seedB", "seedC"]}
    assert [name for name, each in main.param.items() if "secure" in each.decorators] == secret["main"]
    assert [name for name, each in vault.param.items() if "secure" in each.decorators] == secret["vault"]


def test_the_first_key_is_made_once() -> None:
    """A second deployment makes new randomness; it must not replace the key that everything is encrypted with."""
    vault = read(INFRA / "modules/vault.bicep")
    assert "onlyIfNotExists" in vault.resource["secretKey"].decorators
    assert "onlyIfNotExists" not in vault.resource["redisUrl"].decorators


def test_roles_are_who_they_say() -> None:
    """The GUIDs of roles.json are those of Azure's roles of these names."""
    assert json.loads((INFRA / "roles.json").read_text()) == ROLES


def test_no_guid_stands_in_a_template() -> None:
    """A role is told by its name; roles.json is the only place that knows GUIDs."""
    guid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
    assert [path.name for path in FILES if guid.search(path.read_text())] == []


def _azd_value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def test_the_parameters_for_azd_are_parameters() -> None:
    """main.parameters.json names parameters of main.bicep, with values that azd replaces by its environment's."""
    parameters = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    main = read(INFRA / "main.bicep")
    assert set(parameters) <= set(main.param)
    for name, given in parameters.items():
        found = re.search(r"\$\{([A-Z_]+)(=([^}]*))?\}", _azd_value(given["value"]))
        assert found, name
        if found[1].startswith("GATEWAY_"):
            assert found[2] is not None, f"{name} has no default, and azd would ask for it"
            declared = main.param[name].value
            assert declared is not None
            assert found[3] == text(declared).strip("'"), f"{name} has another default for azd"
