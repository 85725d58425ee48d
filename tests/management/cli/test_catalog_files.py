"""`apply`, `check` and `export`: files in, files out."""

import json

import pytest

from gateway.catalog.keys import is_well_formed
from tests.management.cli.command_line import CommandLine

CATALOG = """
kind: NamedValue
name: model-key
value: sk-very-secret
---
kind: Backend
name: model
url: https://model.example/v1
credentials: {header: Authorization, value: "Bearer {{model-key}}"}
---
kind: Product
name: starter
state: published
---
kind: Api
name: openai
path: openai
type: openai
backend: model
products: [starter]
---
kind: Subscription
name: demo
scope: /products/starter
"""
NAMES = ["NamedValue model-key", "Backend model", "Product starter", "Api openai", "Subscription demo"]
# Three faults, in two files.
BROKEN = "kind: Api\nname: broken\npath: /broken\ntype: openapi\nbackend: model\n"
PRODUCT = '{"kind": "Product", "name": "p", "displayName": "Größe 😀"}'
UNKNOWN = "kind: Product\nname: other\ncolour: blue\n"


def test_apply_creates_everything_and_shows_new_keys_once(gateway: CommandLine) -> None:
    """The contract's JSON: revision, names, and the keys of new subscriptions."""
    gateway.file("catalog.yaml", CATALOG)
    applied = gateway.json("apply", "-f", "catalog.yaml")
    keys = applied.pop("keys")
    assert applied == {"revision": 1, "created": NAMES, "updated": [], "unchanged": []}
    assert set(keys) == {"demo"}
    assert set(keys["demo"]) == {"primaryKey", "secondaryKey"}
    assert all(is_well_formed(key) for key in keys["demo"].values())

    again = gateway.json("apply", "-f", "catalog.yaml")
    assert again == {"revision": 1, "created": [], "updated": [], "unchanged": NAMES, "keys": {}}


def test_apply_tells_people_what_it_did(gateway: CommandLine) -> None:
    """A row for each document, the keys, and the warning that they are seen only now."""
    gateway.file("catalog.yaml", CATALOG)
    result = gateway("apply", "-f", "catalog.yaml")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["created", "Api", "openai"] in lines
    assert [line[:2] for line in lines if line[-1].startswith("gw_")] == [["demo", "primary"], ["demo", "secondary"]]
    assert "shown only now" in result.stderr


def test_apply_reads_folders_several_files_and_standard_input(gateway: CommandLine) -> None:
    """A folder stands for all YAML and JSON files below it; `-` for standard input; more names may follow."""
    gateway.file("folder/one.yaml", "kind: Product\nname: one\n")
    gateway.file("folder/below/two.yml", "kind: Product\nname: two\n")
    gateway.file("folder/three.json", '{"kind": "Product", "name": "three"}')
    gateway.file("folder/notes.txt", "not for us")
    gateway.file("four.yaml", "kind: Product\nname: four\n")
    gateway.file("five.yaml", "kind: Product\nname: five\n")
    arguments = ["apply", "-f", "folder", "-f", "-", "-f", "four.yaml", "five.yaml"]
    applied = gateway.json(*arguments, stdin="kind: Product\nname: six\n")
    assert sorted(applied["created"]) == [f"Product {name}" for name in ("five", "four", "one", "six", "three", "two")]


def test_every_fault_of_every_file_is_told_and_nothing_is_written(gateway: CommandLine) -> None:
    """One line a fault on stderr, with file, document and field; exit code 1."""
    gateway.file("apis/a.yaml", BROKEN)
    gateway.file("apis/b.yaml", UNKNOWN)
    gateway.file("apis/c.yaml", "kind: Product\nname: fine\n")
    result = gateway("apply", "-f", "apis", "-f", "missing.yaml")
    assert result.exit_code == 1
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("apis/a.yaml: Api broken: path: ")
    assert lines[1].startswith("apis/a.yaml: Api broken: type: ")
    assert lines[2].startswith('apis/b.yaml: Product other: unknown field "colour"')
    assert lines[3].startswith("missing.yaml: cannot be read: ")
    assert gateway.json("products", "list") == []


def test_files_that_are_no_text_or_hold_nothing_are_named(gateway: CommandLine) -> None:
    """Neither is taken for an empty catalog."""
    (gateway.folder / "binary.yaml").write_bytes(b"kind: \xff\xfe")
    gateway.file("empty.yaml", "# only a comment\n")
    (gateway.folder / "folder").mkdir()
    assert gateway("apply", "-f", "binary.yaml").stderr == "binary.yaml: is not UTF-8 text (byte 6); save it as UTF-8\n"
    assert gateway("apply", "-f", "empty.yaml").stderr == "empty.yaml: has no documents\n"
    result = gateway("apply", "-f", "folder")
    assert (result.exit_code, result.stderr) == (1, "folder: has no documents\n")


@pytest.mark.parametrize(
    "text", [PRODUCT, json.dumps(json.loads(PRODUCT)), f"[{PRODUCT}]"], ids=["text", "json", "list"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_as_windows_writes_them_are_read(gateway: CommandLine, encoding: str, text: str) -> None:
    """With a byte order mark, and in UTF-16, which it tells."""
    (gateway.folder / "a.json").write_bytes(text.encode(encoding))
    assert gateway("apply", "-f", "a.json").exit_code == 0
    assert gateway.json("products", "show", "p")["displayName"] == "Größe 😀"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (PRODUCT.encode("utf-16-le"), "is not UTF-8 text"),
        (PRODUCT.encode("utf-32"), "is not UTF-8 text, for it has zero bytes; save it as UTF-8"),
        (b"\xff\xfe{", "is not UTF-8 text"),
        (b'{"kind": "Gateway", "timeouts": {"connect": NaN}}', "Gateway: timeouts.connect: must be a finite number"),
        (b'[{"kind": "Gateway", "maxRequestBytes": NaN}]', "Gateway: maxRequestBytes: must be a whole number"),
        (b"kind: Gateway\nmaxRequestBytes: .nan", "line 2: numbers must be finite"),
        (b'{"kind": "Gateway", "maxRequestBytes": 1e999}', "Gateway: maxRequestBytes: must be a whole number"),
        (b'{"kind": "Product", "name": NaN}', "Product: name: must be text; put it in quotes"),
        (
            b'{"kind": "Product", "name": "p", "displayName": "\\ud83d"}',
            "Product p: displayName: must be text of whole characters, and has half of one",
        ),
        (
            b'{"kind": "Product", "name": "p", "description": "\\ud83d"}',
            "Product p: description: must not contain control characters",
        ),
    ],
)
def test_what_no_document_can_hold_is_said_with_its_place(
    unconnected: CommandLine, content: bytes, problem: str
) -> None:
    """File, document and field, or the line."""
    (unconnected.folder / "a.json").write_bytes(content)
    result = unconnected("check", "-f", "a.json", "--offline")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"a.json: {problem}")


def test_export_reads_back_as_it_is_and_has_no_secret(gateway: CommandLine) -> None:
    """Applying an export changes nothing, and neither secrets nor keys are in it."""
    gateway.file("catalog.yaml", CATALOG)
    keys = gateway.json("apply", "-f", "catalog.yaml")["keys"]["demo"].values()
    exported = gateway("export").stdout
    assert "sk-very-secret" not in exported
    assert not any(key in exported for key in keys)
    assert gateway.json("apply", "-f", "-", stdin=exported)["unchanged"] == NAMES


def test_export_writes_a_file_or_json(gateway: CommandLine) -> None:
    """--output writes the file and says so on stderr; --json is a list of documents."""
    gateway.file("catalog.yaml", CATALOG)
    gateway("apply", "-f", "catalog.yaml")
    result = gateway("export", "--output", "out.yaml")
    assert (result.stdout, result.stderr) == ("", "5 documents were written to out.yaml.\n")
    assert (gateway.folder / "out.yaml").read_text() == gateway("export").stdout
    assert [document["kind"] for document in gateway.json("export")] == [name.split()[0] for name in NAMES]
    result = gateway("export", "--output", "no/such/folder/out.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no/such/folder/out.yaml: " in result.stderr


def test_check_judges_files_together_with_what_is_stored(gateway: CommandLine) -> None:
    """A reference to something stored is right, and nothing is written."""
    api = "kind: Api\nname: second\npath: second\ntype: openai\nbackend: model\n"
    gateway.file("second.yaml", api)
    result = gateway("check", "-f", "second.yaml")
    assert (result.exit_code, result.stderr) == (1, "Api second: backend: Backend model does not exist\n")

    gateway.file("catalog.yaml", CATALOG)
    gateway("apply", "-f", "catalog.yaml")
    result = gateway("check", "-f", "second.yaml")
    assert (result.exit_code, result.stdout) == (0, "Nothing is wrong.\n")
    assert [document["name"] for document in gateway.json("apis", "list")] == ["openai"]


def test_check_offline_needs_no_storage(unconnected: CommandLine) -> None:
    """The files are judged as if they were the whole catalog; no setting is needed."""
    unconnected.file("catalog.yaml", CATALOG)
    unconnected.file("alone.yaml", "kind: Subscription\nname: alone\nscope: /apis/none\n")
    assert unconnected("check", "-f", "catalog.yaml", "--offline").exit_code == 0
    result = unconnected("check", "-f", "alone.yaml", "--offline")
    assert (result.exit_code, result.stderr) == (1, "Subscription alone: scope: Api none does not exist\n")
    assert unconnected("check", "-f", "catalog.yaml").exit_code == 2


def test_check_lists_faults_as_json(unconnected: CommandLine) -> None:
    """Programs get the faults on stdout, with the exit code that says there are some."""
    unconnected.file("a.yaml", BROKEN)
    result = unconnected("check", "-f", "a.yaml", "--offline", "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["valid"]) == (1, False)
    assert [fault["where"] for fault in found["faults"]] == ["a.yaml: Api broken: path", "a.yaml: Api broken: type"]


def test_check_remarks_on_what_is_worth_a_second_look(unconnected: CommandLine) -> None:
    """On stderr for people, beside the faults for programs; the outcome is the same."""
    unconnected.file("a.yaml", "{kind: Gateway, semanticCache: {mode: exact, varyBy: []}}")
    place, sentence = "Gateway gateway: semanticCache.varyBy", "is empty: all callers get each other's answers"
    result = unconnected("check", "-f", "a.yaml", "--offline")
    assert (result.exit_code, result.stdout) == (0, "Nothing is wrong.\n")
    assert result.stderr == f"Mind: {place}: {sentence}\n"
    found = unconnected.json("check", "-f", "a.yaml", "--offline")
    assert found == {"valid": True, "faults": [], "remarks": [{"where": place, "problem": sentence}]}


def test_apply_remarks_on_the_same(gateway: CommandLine) -> None:
    """On stderr, beside what was done; programs get the same document as ever."""
    gateway.file("a.yaml", "{kind: Gateway, rateLimit: {counterKey: subscripton, calls: 5}}")
    sentence = (
        '"subscripton" is a fixed text, the same for all callers, who share one counter; did you mean "subscription"?'
    )
    said = f"Mind: Gateway gateway: rateLimit.counterKey: {sentence}\n"
    result = gateway("apply", "-f", "a.yaml")
    assert (result.exit_code, result.stderr) == (0, said)
    again = gateway("apply", "-f", "a.yaml", "--json")
    assert (json.loads(again.stdout)["unchanged"], again.stderr) == (["Gateway gateway"], said)


def test_an_export_as_json_is_read_back(gateway: CommandLine) -> None:
    """A list of documents is as good as several: nothing has changed, and nothing is wrong."""
    gateway.file("catalog.yaml", CATALOG)
    gateway("apply", "-f", "catalog.yaml")
    assert gateway("export", "--json", "--output", "catalog.json").exit_code == 0
    assert gateway("check", "-f", "catalog.json").stdout == "Nothing is wrong.\n"
    again = gateway.json("apply", "-f", "catalog.json")
    assert (again["created"], again["updated"], sorted(again["unchanged"])) == ([], [], sorted(NAMES))
