"""`import`: from a URL and a key to an Api behind the gateway."""

from collections.abc import Iterator

import pytest

from local.model import ModelServer
from tests.management.cli.command_line import CommandLine

KEY = "sk-very-secret"
AUTHORIZATION = ("--key-header", "Authorization", "--key-value", f"Bearer {KEY}")
# Port 1 is reserved and nothing listens there.
CLOSED = "http://127.0.0.1:1/v1"


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    """A stand-in model that asks for a key."""
    server = ModelServer(key=KEY)
    yield server
    server.close()


def named(url: str, name: str = "My LLM") -> tuple[str, ...]:
    """The options without which questions are asked."""
    return ("import", "--display-name", name, "--url", url)


def test_options_alone_import_without_a_question(gateway: CommandLine, model: ModelServer) -> None:
    """The Api, its backend, and the key as a secret named value; the check says what it found."""
    result = gateway(*named(model.url), *AUTHORIZATION)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("OK: It answers: 200, ")
    assert "stand-in" in result.stdout.splitlines()[0]
    assert KEY not in result.output
    assert gateway.json("apis", "show", "my-llm") == {
        "kind": "Api",
        "name": "my-llm",
        "displayName": "My LLM",
        "path": "my-llm",
        "type": "openai",
        "backend": {
            "url": model.url,
            "credentials": {"header": "Authorization", "value": "Bearer {{my-llm-key}}"},
        },
        "products": [],
    }
    assert gateway.json("named-values", "set", "my-llm-key", "--value", KEY)["unchanged"] == ["NamedValue my-llm-key"]


def test_every_option_arrives(gateway: CommandLine) -> None:
    """Name, description, products, path, type; a key that is not a scheme and a secret is kept whole."""
    gateway("apply", "-f", "-", stdin="kind: Product\nname: starter\n")
    options = ["--name", "bedrock", "--description", "All of it", "--product", "starter", "--products", "a,b"]
    options += ["--create-product", "--path", "aws/bedrock", "--type", "passthrough", "--no-check", "--yes"]
    created = gateway.json(*named("https://bedrock.example"), *options, "--key-header", "x-key", "--key-value", "k1")
    assert created["created"] == ["Product a", "Product b", "NamedValue bedrock-key", "Api bedrock"]
    assert created["check"] is None
    shown = gateway.json("apis", "show", "bedrock")
    assert shown["backend"]["credentials"] == {"header": "x-key", "value": "{{bedrock-key}}"}
    assert (shown["path"], shown["type"], shown["description"]) == ("aws/bedrock", "passthrough", "All of it")
    assert shown["products"] == ["starter", "a", "b"]
    assert gateway.json("products", "show", "a")["state"] == "published"


def test_json_has_the_finding_and_nothing_else_is_on_stdout(gateway: CommandLine, model: ModelServer) -> None:
    """Programs see what was created and what the check found."""
    created = gateway.json(*named(model.url), *AUTHORIZATION)
    assert created["created"] == ["NamedValue my-llm-key", "Api my-llm"]
    assert (created["check"]["verdict"], created["check"]["status"]) == ("good", 200)
    assert created["check"]["modelCount"] == len(created["check"]["models"]) > 0


def test_the_root_path_and_a_key_from_standard_input(gateway: CommandLine, model: ModelServer) -> None:
    """`--path ""` is the gateway's root; `--key-value -` keeps the key out of the shell's history."""
    arguments = (*named(model.url), "--path", "", "--key-header", "Authorization", "--key-value", "-")
    result = gateway(*arguments, stdin=f"Bearer {KEY}\n")
    assert result.exit_code == 0, result.stderr
    assert gateway.json("apis", "show", "my-llm")["path"] == ""


def test_a_key_in_an_app_setting_stays_there(gateway: CommandLine, model: ModelServer) -> None:
    """{{env:NAME}} makes no named value; the check uses the setting if it is here, and says so if it is not."""
    arguments = ("--key-header", "Authorization", "--key-value", "Bearer {{env:MODEL_KEY}}")
    unread = gateway.json(*named(model.url, "Unread"), *arguments)
    assert unread["created"] == ["Api unread"]
    assert (unread["check"]["verdict"], unread["check"]["status"]) == ("doubtful", 401)
    read = gateway.with_settings(MODEL_KEY=KEY).json(*named(model.url, "Read"), *arguments)
    assert read["check"]["verdict"] == "good"


def test_a_stored_named_value_serves_again(gateway: CommandLine, model: ModelServer) -> None:
    """The check sends what it holds."""
    gateway("named-values", "set", "shared", "--value", KEY)
    arguments = ("--key-header", "Authorization", "--key-value", "Bearer {{shared}}")
    created = gateway.json(*named(model.url), *arguments)
    assert (created["created"], created["check"]["verdict"]) == (["Api my-llm"], "good")


@pytest.mark.parametrize(
    ("url", "key", "sentence"),
    [
        (CLOSED, KEY, "Nothing listens at 127.0.0.1:1"),
        ("", "wrong", "It refuses the access key: 401."),
        ("", "", "It asks for an access key, and none was given: 401."),
    ],
    ids=["closed port", "wrong key", "no key"],
)
def test_a_backend_that_does_not_answer_creates_nothing(
    gateway: CommandLine, model: ModelServer, url: str, key: str, sentence: str
) -> None:
    """Exit code 1, the reason, the way around it, and an empty catalog; --no-check is that way."""
    arguments = (*named(url or model.url), *(("--key-header", "Authorization", "--key-value", key) if key else ()))
    result = gateway(*arguments)
    assert result.exit_code == 1
    assert result.stdout.startswith(f"Failed: {sentence}")
    assert "--no-check" in result.stderr
    assert gateway.json("apis", "list") == gateway.json("named-values", "list") == []
    assert gateway(*arguments, "--no-check").exit_code == 0
    assert len(gateway.json("apis", "list")) == 1


def test_everything_that_stands_in_the_way_is_told_at_once(gateway: CommandLine) -> None:
    """Missing products with those that exist, a name in use, a path in use, a bad URL; nothing is called."""
    gateway("apply", "-f", "-", stdin="kind: Product\nname: starter\n")
    assert gateway(*named(CLOSED, "First"), *AUTHORIZATION, "--no-check").exit_code == 0
    result = gateway(*named("model.example", "First"), *AUTHORIZATION, "--product", "none")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "Product none: does not exist; known are: starter; --create-product creates it",
        "Api first: exists already; choose another --name, or change it with apply",
        "NamedValue first-key: exists already; choose another --name, "
        'or give the value as "{{first-key}}" to use what it holds',
        "Api first: backend.url: must start with http:// or https:// and name a host",
    ]
    result = gateway(*named(CLOSED, "Second"), "--path", "First")
    assert (result.exit_code, result.stderr) == (1, 'Api second: path: "First" already belongs to Api first\n')


@pytest.mark.parametrize(
    "arguments",
    [
        ("import",),
        ("import", "--url", CLOSED),
        (*named(CLOSED), "--key-value", KEY),
        (*named(CLOSED), "--key-header", "Authorization"),
        named(CLOSED, "Модель"),
        (*named(CLOSED), "--type", "soap"),
    ],
    ids=["nothing", "no display name", "value alone", "header alone", "no letters", "type"],
)
def test_a_wrong_command_line_exits_with_2(gateway: CommandLine, arguments: tuple[str, ...]) -> None:
    """Before anything is called or written, and without showing the key."""
    result = gateway(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert KEY not in result.output


def test_a_person_is_asked_for_everything(gateway: CommandLine, model: ModelServer) -> None:
    """In the order of API Management's form; wrong answers are asked for again; the key is not shown."""
    answers = ["My LLM", "", "model.example", model.url, "starter", "y", "/llm", "llm", "openai", "Authorization"]
    answers += [f"Bearer {KEY}", "y"]
    result = gateway.at_a_terminal()("import", stdin="\n".join([*answers, ""]))
    assert result.exit_code == 0, result.output
    questions = ["Display name", "Description", "URL of the backend", "Products", "Path", "Type", "Header", "Value of"]
    places = [result.stderr.index(question) for question in questions]
    assert places == sorted(places)
    assert "This must start with http://" in result.stderr
    assert "Not there yet: starter. Create?" in result.stderr
    assert KEY not in result.output
    shown = gateway.json("apis", "show", "my-llm")
    assert (shown["path"], shown["products"]) == ("llm", ["starter"])
    assert "description" not in shown


def test_each_answer_is_judged_when_it_is_given(gateway: CommandLine) -> None:
    """A name, path or product that cannot be is asked for again at once, with the reason."""
    gateway("apply", "-f", "-", stdin="kind: Product\nname: starter\n")
    assert gateway(*named(CLOSED), *AUTHORIZATION, "--path", "Taken", "--no-check").exit_code == 0
    answers = ["My LLM", "my-llm", "other", "", CLOSED, "Not A Name", "none", "n", "starter", "taken", "", "openai"]
    answers += ["Authorization", "{{lost}}", "{{my-llm-key}}", "y"]
    result = gateway.at_a_terminal()("import", "--no-check", stdin="\n".join([*answers, ""]))
    assert result.exit_code == 0, result.output
    reasons = [
        "There is an Api my-llm already.",
        "This is the name of an Api already.",
        'This has the name "Not A Name", which must be 1 to 80 lower-case letters',
        "Not there yet: none. Create?",
        "This already belongs to Api my-llm.",
        "This refers to NamedValue lost, which does not exist.",
    ]
    places = [result.stderr.index(reason) for reason in reasons]
    assert places == sorted(places)
    shown = gateway.json("apis", "show", "other")
    assert (shown["path"], shown["products"]) == ("other", ["starter"])


def test_a_path_in_use_is_not_offered(gateway: CommandLine) -> None:
    """The name would be the default; an access key whose place is taken is refused as soon as it is typed."""
    gateway("named-values", "set", "llm-key", "--value", "sk-1")
    assert gateway(*named(CLOSED, "First"), "--path", "llm", "--no-check").exit_code == 0
    answers = ["LLM", "", CLOSED, "", "", "own", "", "Authorization", "Bearer sk-2", "Bearer {{llm-key}}", "y"]
    result = gateway.at_a_terminal()("import", "--no-check", stdin="\n".join([*answers, ""]))
    assert result.exit_code == 0, result.output
    assert "gateway's address: " in result.stderr  # and not "[llm]: "
    assert "NamedValue llm-key exists already" in result.stderr
    assert gateway.json("apis", "show", "llm")["path"] == "own"


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        (("--path", "/bad"), "--path must not start or end with a slash."),
        (("--path", "TAKEN"), "--path already belongs to Api my-llm."),
        (("--name", "my-llm"), "--name is the name of an Api already."),
        (("--name", "x" * 80), "--name must be at most 76 characters long."),
        (("--product", "No"), "--product must be 1 to 80 lower-case letters"),
        (("--url", "model.example"), "--url must start with http:// or https://"),
        (("--key-header", "Host", "--key-value", "sk-1"), '--key-header must not be "Host"'),
    ],
)
def test_options_are_judged_before_the_first_question(
    gateway: CommandLine, option: tuple[str, ...], reason: str
) -> None:
    """Nobody answers eight questions to hear of it."""
    assert gateway(*named(CLOSED), "--path", "taken", "--no-check").exit_code == 0
    result = gateway.at_a_terminal()("import", *option)
    assert (result.exit_code, result.stdout) == (2, "")
    assert reason in " ".join(result.stderr.split())
    assert "Display name" not in result.stderr


def test_a_product_that_must_not_be_created_ends_the_questions(gateway: CommandLine) -> None:
    """It came as an option, so it is not asked for again."""
    result = gateway.at_a_terminal()("import", "--product", "none", stdin="n\n")
    assert result.exit_code == 1
    assert result.stderr.endswith("Product none: does not exist; known are: none yet; --create-product creates it\n")


def test_a_person_may_decline(gateway: CommandLine) -> None:
    """After the review; when the backend does not answer, declining is what Enter means."""
    answers = ["My LLM", "", CLOSED, "", "", "", "", ""]
    result = gateway.at_a_terminal()("import", stdin="\n".join([*answers, ""]))
    assert result.exit_code == 1
    assert "Nothing listens at 127.0.0.1:1" in result.stdout
    assert "Create this? [y/N]" in result.stderr
    assert gateway.json("apis", "list") == []


def test_a_person_is_asked_only_for_what_no_option_gave(gateway: CommandLine) -> None:
    """--yes leaves out the confirmation."""
    options = (
        "--display-name",
        "My LLM",
        "--description",
        "",
        "--product",
        "p",
        "--create-product",
        "--type",
        "openai",
    )
    result = gateway.at_a_terminal()("import", *options, "--no-check", "--yes", stdin=f"{CLOSED}\n\n\n")
    assert result.exit_code == 0, result.output
    assert result.stderr.count(":") < 12
    assert "Create this?" not in result.stderr
    assert gateway.json("apis", "show", "my-llm")["path"] == "my-llm"
