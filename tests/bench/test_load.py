"""wrk: what it is told, and what it says."""

import json

import pytest

from bench.faults import BenchFailed
from bench.figures import Load
from bench.load import Call, analyze_call, chat_call, long_call, parse, screened_call, script


def test_the_script_carries_the_call() -> None:
    """Quotes in the body survive; without a number of requests nothing stops it."""
    text = script(Call("/a", {"Authorization": "Bearer k"}, '{"a": "b"}'))
    assert 'wrk.path = "/a"' in text
    assert 'wrk.headers["Authorization"] = "Bearer k"' in text
    assert r'wrk.body = "{\"a\": \"b\"}"' in text
    assert "answered" not in text


def test_the_script_can_stop_after_some_answers() -> None:
    """Memory is measured after a number of requests, not after a time."""
    assert "if answered == 500 then" in script(Call("/", {}, ""), 500)


def test_the_chat_call_is_small_and_has_the_key() -> None:
    """As an SDK would send it."""
    call = chat_call("gw_1")
    assert call.headers["Authorization"] == "Bearer gw_1"
    assert json.loads(call.body)["messages"][1]["role"] == "user"


def test_the_report_is_found_among_wrks_own_lines() -> None:
    """Microseconds become seconds and milliseconds."""
    line = '{"requests": 200, "microseconds": 2000000, "p50": 500, "p99": 1500, "errors": 1}'
    assert parse(f"Running 2s test\n{line}\n") == Load(requests=200, seconds=2.0, p50=0.5, p99=1.5, errors=1)


def test_what_wrk_complains_of_is_passed_on() -> None:
    """A refused connection is named, not counted as zero."""
    with pytest.raises(BenchFailed, match="unable to connect"):
        parse("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_a_long_prompt_is_new_with_every_run_and_call() -> None:
    """200 words, the same to the gateway and to the service; the number is the script's."""
    prompts = [json.loads(long_call("gw_1", "/a", run).body)["messages"][1]["content"] for run in ("one", "two")]
    assert [len(prompt.split()) for prompt in prompts] == [200, 200]
    assert prompts[0] != prompts[1]
    assert "{number}" in prompts[0]
    assert json.loads(analyze_call("one").body)["text"] in prompts[0]


def test_a_screened_call_is_the_same_every_time() -> None:
    """And the one beside it says the same."""
    assert screened_call("gw_1").body == chat_call("gw_1", "France").body
    assert "{number}" not in screened_call("gw_1").body
