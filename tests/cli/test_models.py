"""`iqa-zoo models`."""

import json

import pytest
from click.testing import CliRunner

from iqa_zoo import registry
from iqa_zoo.cli import main


def iqa_zoo(*args):
    return CliRunner().invoke(main, args, catch_exceptions=False)


@pytest.mark.parametrize("command", [("models",), ("models", "list")])
def test_list(command):
    result = iqa_zoo(*command)
    head, *lines = result.stdout.splitlines()
    assert head.split() == ["model", "task", "input", "parameters", "weights"]
    assert [line.split()[0].rstrip("*") for line in lines] == registry.list_models()
    assert result.exit_code == 0


def test_list_by_pattern_and_task_as_json():
    result = iqa_zoo(
        "models", "*-mobilenetv2", "--task", "quality", "--format", "jsonl"
    )
    (row,) = map(json.loads, result.stdout.splitlines())
    card = registry.model_card("nima-mobilenetv2")
    assert row["name"] == "nima-mobilenetv2"
    assert row["parameters"] == card["parameters"]
    assert row["weights"] == list(card.get("weights", {}))


def test_show():
    result = iqa_zoo("models", "show", "nima-mobilenetv2")
    card = registry.model_card("nima-mobilenetv2")
    text = " ".join(result.stdout.split())
    for part in (card["title"], card["summary"], card["paper"]["url"], *card["limits"]):
        assert part in text
    for tag, weights in card.get("weights", {}).items():
        assert f"weights {tag}" in text
        assert weights["sha256"] in text
        assert weights["terms"] in text
    assert max(map(len, result.stdout.splitlines())) <= 90


def test_show_as_json_is_the_card():
    result = iqa_zoo("models", "show", "nima-mobilenetv2", "--format", "json")
    assert json.loads(result.stdout) == registry.model_card("nima-mobilenetv2")


def test_tasks_are_those_of_the_cards(monkeypatch):
    result = iqa_zoo("models", "--task", "foo")
    assert result.exit_code == 2 and "'quality', 'aesthetics'" in result.stderr
    monkeypatch.setattr(registry, "list_models", lambda *_, **__: [])
    result = iqa_zoo("models", "--task", "aesthetics")
    assert result.exit_code == 2
    assert "No model has the task aesthetics" in result.stderr


def test_names_are_completed():
    env = {
        "_IQA_ZOO_COMPLETE": "bash_complete",
        "COMP_WORDS": "iqa-zoo models show nima-mob",
        "COMP_CWORD": "3",
    }
    result = CliRunner().invoke(main, [], env=env)
    assert "plain,nima-mobilenetv2" in result.stdout.splitlines()


@pytest.mark.parametrize(
    "command", [("models", "nima-mobilnet"), ("models", "show", "nima-mobilnet")]
)
def test_near_names_are_told(command):
    result = iqa_zoo(*command)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Did you mean nima-mobilenetv2" in result.stderr
