"""docs/deploy.md and the files it speaks of say the same."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.errors import CODES
from gateway.management.cli.root import cli
from tests.infra.bicep_file import INFRA, read, text
from tests.infra.deployment import deploy
from tests.infra.given import ALL, roles_of
from tests.infra.package import files
from tests.management.cli.test_root import parse

ROOT = INFRA.parent
DOCUMENT = (ROOT / "docs/deploy.md").read_text()
MAIN = read(INFRA / "main.bicep")
DEFAULTS_IN_WORDS = {"the resource group's", "whoever deploys", "none"}


def table(heading: str) -> list[list[str]]:
    """The rows of the first table behind a heading, without its two lines of head."""
    section = DOCUMENT.split(f"\n{heading}\n")[1]
    lines = re.findall(r"(?:^\|.*\n)+", section, flags=re.MULTILINE)[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def blocks() -> list[str]:
    """What is to be typed, one command each."""
    commands = []
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", DOCUMENT, flags=re.MULTILINE | re.DOTALL):
        if language:
            continue
        joined = re.sub(r"<<EOF\n.*?^EOF\n", "", block, flags=re.MULTILINE | re.DOTALL).replace("\\\n", " ")
        commands += [line for line in joined.splitlines() if line]
    return commands


def words_of(command: str) -> list[str]:
    """As a shell would split it; what is in `$( )` stays one word."""
    lexer = shlex.shlex(io.StringIO(command), posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    return list(lexer)


def test_the_parameters_are_those_of_the_template() -> None:
    """All of them, in their order, with their defaults."""
    rows = table("### Parameters")
    assert [row[0].strip("`") for row in rows] == list(MAIN.param)
    for name, default, _ in rows:
        declared = MAIN.param[name.strip("`")].value
        assert declared is not None
        if default in DEFAULTS_IN_WORDS:
            assert text(declared) in ("''", "{}", "resourceGroup().location"), name
        else:
            assert default == f"`{text(declared).strip("'")}`", name


def test_the_outputs_are_those_of_the_template() -> None:
    """All of them, in their order."""
    assert [row[0].strip("`") for row in table("### Outputs")] == list(MAIN.output)


def test_the_roles_are_those_that_the_template_gives() -> None:
    """The app's, in the table."""
    given = {role for role, _ in roles_of(deploy(ALL), "aaaaaaaa-1111-4111-8111-000000000000")}
    assert {row[0] for row in table("### One identity, no keys")} == given


def test_the_alerts_are_those_of_the_template() -> None:
    """By the titles that people see."""
    rules = deploy().of("Microsoft.Insights/scheduledQueryRules")
    titles = [rule["properties"]["displayName"].removeprefix("Gateway: ") for rule in rules]
    assert [row[0] for row in table("### Alerts and the workbook")] == titles


def test_every_file_that_is_named_is_there() -> None:
    """Paths in code marks, files that commands read, and links."""
    named = re.findall(r"`((?:infra|\.github|gateway|docs)/[\w./-]+)`", DOCUMENT)
    named += re.findall(r"--template-file (\S+)", DOCUMENT)
    named += [f"docs/{link}" for link in re.findall(r"\]\(([\w-]+\.md)[#)]", DOCUMENT)]
    named += re.findall(r"pip install -r ([\w.-]+)", DOCUMENT)
    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []


def anchors(document: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_to_a_heading() -> None:
    """Within the document, and in others."""
    for file, anchor in re.findall(r"\]\(([\w-]+\.md)?#([\w-]+)\)", DOCUMENT):
        target = (ROOT / "docs" / file).read_text() if file else DOCUMENT
        assert anchor in anchors(target), f"{file}#{anchor}"


def test_commands_of_the_gateway_are_commands() -> None:
    """Every `python -m gateway …` is read as click reads it."""
    found = re.findall(r"python -m gateway ((?:[^`\n$)\"<|]|\$\{?\w+\}?)+)", DOCUMENT)
    assert len(found) >= 4
    for line in found:
        if line.strip() not in ("works", "exits with 3"):
            assert parse(shlex.split(line))


def test_the_command_for_the_first_key_is_a_command() -> None:
    """The output firstKeyCommand, as it is printed."""
    program, *words = deploy().outputs["firstKeyCommand"].removeprefix("python -m gateway ").split(" ")
    assert program == "--tables"
    assert words[0].startswith("https://")
    assert parse(words[1:])


def test_deployments_name_parameters_and_outputs_that_exist() -> None:
    """In commands and in text."""
    given = re.findall(r"--parameters ((?:\w+=\S+ ?)+)", DOCUMENT) + re.findall(r"such as `((?:\w+=\S+ ?)+)`", DOCUMENT)
    names = {name for each in given for name in re.findall(r"(\w+)=", each)}
    names |= set(re.findall(r"`(\w+)=\w+`", DOCUMENT))
    assert {"openAI", "maximumInstanceCount", "adminPrincipalId"} <= names <= set(MAIN.param)
    outputs = re.findall(r"properties\.outputs\.(\w+)\.value|\$\(output (\w+)\)", DOCUMENT)
    assert len(outputs) == 6
    assert {first or second for first, second in outputs} <= set(MAIN.output)


def test_shell_variables_are_outputs_or_made_before() -> None:
    """Whoever types the commands in order has every variable that they use."""
    # The key is the one that was printed; Core Tools or not, the app's name is an output.
    known = {"KEY", "GATEWAY_APP"}
    for command in blocks():
        known |= set(re.findall(r"(?:^|export |\" )(\w+)=\"", command))
        used = set(re.findall(r"\$\{?([A-Za-z_]\w*)", command))
        assert used <= known, command


def test_what_azd_is_told_is_a_parameter() -> None:
    """`azd env set NAME` names a variable of main.parameters.json."""
    known = set(re.findall(r"\$\{(\w+)", (INFRA / "main.parameters.json").read_text()))
    told = re.findall(r"azd env set (\w+)", DOCUMENT)
    assert told
    assert set(told) <= known


def test_the_archive_has_what_the_package_has() -> None:
    """`zip` is told the same as `.funcignore`."""
    (line,) = [command for command in blocks() if command.startswith("zip ")]
    assert set(words_of(line)[3:]) == {name.partition("/")[0] for name in files()}


def test_commands_are_of_programs_that_were_asked_for() -> None:
    """No command comes from nowhere, and none has a quote too many."""
    programs = {words_of(command)[0].partition("=")[0] for command in blocks()}
    assert programs <= {"az", "azd", "func", "python", "curl", "zip", "export", "output()", "old"}


def az_commands(document: str) -> list[tuple[str, set[str]]]:
    """Each command of the Azure CLI with its options; one within `$( )` is a command of its own."""
    pieces, open_pieces = [], [""]
    for token in re.split(r"(\$\(|\)|\n|`)", document.replace("\\\n", " ")):
        if token == "$(":
            open_pieces.append("")
        elif token == ")" and len(open_pieces) > 1:
            pieces.append(open_pieces.pop())
        elif token in ("\n", "`"):
            pieces += open_pieces
            open_pieces = [""]
        else:
            open_pieces[-1] += token
    found = [re.search(r"(?:^|[\s{])az ((?:[a-z][a-z-]* ?)+)(.*)", piece) for piece in [*pieces, *open_pieces]]
    return [(each[1].strip(), set(re.findall(r"(?<=\s)--[a-z-]+", f" {each[2]}"))) for each in found if each]


def test_commands_of_the_azure_cli_exist() -> None:
    """With all their options, in this document and in the workflows."""
    known = json.loads(Path(__file__).with_name("az_commands.json").read_text())["commands"]
    workflows = [path.read_text() for path in sorted((ROOT / ".github/workflows").glob("*.yml"))]
    used = [command for document in (DOCUMENT, *workflows) for command in az_commands(document)]
    assert ("deployment group what-if", {"--resource-group", "--template-file", "--parameters"}) in used
    for command, options in used:
        assert command in known, command
        assert options <= set(known[command].split()), command
    assert {command for command, _ in used} == known.keys()


def shell_blocks() -> list[str]:
    """The blocks as they are pasted."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    return [block for language, block in found if not language]


def test_every_block_can_be_pasted_into_a_shell() -> None:
    """No quote or bracket is missing."""
    for block in shell_blocks():
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), block


def test_the_variables_are_the_outputs(tmp_path: Path) -> None:
    """The block that exports them, run with an `az` that knows the outputs of a deployment."""
    outputs = deploy().outputs
    answers = "".join(f'*"properties.outputs.{name}.value"*) echo "{value}" ;;\n' for name, value in outputs.items())
    az = tmp_path / "az"
    az.write_text(f'#!/bin/sh\ncase "$*" in\n{answers}*) exit 1 ;;\nesac\n')
    az.chmod(0o700)
    (block,) = [each for each in shell_blocks() if each.startswith("output() {")]
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "-c", f"set -e\n{block}\nenv"], env=environment, capture_output=True, text=True, check=True
    )
    variables = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert variables["GATEWAY_URL"] == outputs["gatewayUrl"]
    assert variables["GATEWAY_TABLES"] == outputs["gatewayTables"]
    assert variables["GATEWAY_APP"] == outputs["gatewayApp"]
    assert variables["GATEWAY_VAULT"] == outputs["gatewayVault"]
    assert variables["OPENAI_ENDPOINT"] == outputs["openAIEndpoint"]


def test_the_first_document_is_a_catalog(tmp_path: Path) -> None:
    """`apply` of what stands between the EOFs, and of what the Api may say beside."""
    (yaml,) = re.findall(r"<<EOF\n(.*?)^EOF$", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    endpoint = deploy().outputs["openAIEndpoint"]
    assert endpoint.endswith("/")
    cache, safety = re.findall(r"^```yaml\n(.*?)^```", DOCUMENT, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "first.yaml").write_text(yaml.replace("${OPENAI_ENDPOINT}", endpoint) + cache + safety)
    result = CliRunner().invoke(cli, ["check", "--offline", "-f", str(tmp_path)])
    assert result.exit_code == 0, result.output


def test_errors_that_are_explained_exist() -> None:
    """Codes of the gateway in the table of what may go wrong."""
    codes = re.findall(r"^\| \d{3} `(\w+)`", DOCUMENT, flags=re.MULTILINE)
    assert len(codes) == 3
    assert set(codes) <= CODES.keys()


def test_the_variables_of_the_workflow_are_explained() -> None:
    """No more and no fewer than it reads."""
    workflow = (ROOT / ".github/workflows/deploy.yml").read_text()
    rows = table("## From GitHub")
    assert {row[0].strip("`") for row in rows} == set(re.findall(r"vars\.(\w+)", workflow))
    environments = set(re.findall(r"^    environment: (\w+)$", workflow, flags=re.MULTILINE))
    assert set(re.findall(r":environment:(\w+)", DOCUMENT)) == environments


@pytest.mark.parametrize("name", ["name", "perInstanceConcurrency", "chatModel"])
def test_defaults_in_the_text_are_the_templates(name: str) -> None:
    """Figures and names that the text repeats."""
    declared = MAIN.param[name].value
    assert declared is not None
    default = text(declared).strip("'")
    patterns = {
        "name": r"The parameter `name`; `(\w+)` if there is none",
        "perInstanceConcurrency": r"With the default of (\d+)",
        "chatModel": r"\"model\": \"([\w-]+)\"",
    }
    assert re.findall(patterns[name], DOCUMENT) == [default]


def test_azure_yaml_is_for_these_files() -> None:
    """azd finds the template, its parameters and the app."""
    import yaml

    project = yaml.safe_load((ROOT / "azure.yaml").read_text())
    folder = ROOT / project["infra"]["path"]
    assert (folder / f"{project['infra']['module']}.bicep").exists()
    assert json.loads((folder / f"{project['infra']['module']}.parameters.json").read_text())
    ((name, service),) = project["services"].items()
    assert (ROOT / service["project"] / "host.json").exists()
    assert (service["host"], service["language"]) == ("function", "py")
    assert deploy().the("Microsoft.Web/sites")["tags"] == {"azd-service-name": name}
