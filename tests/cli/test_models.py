"""`iqa-zoo models`."""

import json

import pytest
from click.testing import CliRunner

from iqa_zoo import registry, store
from iqa_zoo.cli import main


def iqa_zoo(*args):
    return CliRunner().invoke(main, args, catch_exceptions=False)


@pytest.mark.parametrize("command", [("models",), ("models", "list")])
def test_list(command):
    result = iqa_zoo(*command)
    head, *lines = result.stdout.splitlines()
    assert head.split() == ["model", "task", "input", "parameters", "weights"]
    names = [line.split()[0].rstrip("*") for line in lines]
    assert list(dict.fromkeys(names)) == registry.list_models()
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert result.exit_code == 0


def test_weight_sets_of_another_task_have_their_own_line():
    result = iqa_zoo("models", "nima-mobilenet")
    rows = [line.split() for line in result.stdout.splitlines()[1:]]
    assert [(row[1], row[2], row[-1]) for row in rows] == [
        ("aesthetics", "224x224", "ava+"),
        ("quality", "224x224", "tid2013+"),
    ]
    result = iqa_zoo("models", "--task", "aesthetics")
    (line,) = result.stdout.splitlines()[1:]
    assert line.startswith("nima-mobilenet ") and line.endswith(" ava+")
    result = iqa_zoo("models", "nima-mobilenet", "--format", "jsonl")
    row = json.loads(result.stdout)
    assert row["tasks"] == {"ava": "aesthetics", "tid2013": "quality"}
    assert row["sizes"]["ava"] == [224, 224]
    assert row["weights"] == ["ava", "tid2013"] and row["here"] == []
    assert row["default_weights"] is None


def test_weight_sets_that_are_not_here_are_marked(monkeypatch, tmp_path):
    monkeypatch.setenv("IQA_ZOO_HOME", str(tmp_path))
    sets = registry.model_card("nima-mobilenet")["weights"]
    place = store.published_file(sets["ava"])
    place.parent.mkdir(parents=True)
    place.touch()
    result = iqa_zoo("models", "nima-mobilenet")
    assert [line.split()[-1] for line in result.stdout.splitlines()[1:]] == [
        "ava",
        "tid2013+",
    ]
    assert "+ is not here yet" in result.stderr and "* is used" not in result.stderr
    result = iqa_zoo("models", "nima-mobilenetv2")
    assert "* is used" in result.stderr and "+ is" not in result.stderr


def test_list_by_pattern_and_task_as_json():
    result = iqa_zoo(
        "models", "nima-mobilenetv2", "--task", "quality", "--format", "jsonl"
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


def test_show_what_others_publish():
    result = iqa_zoo("models", "show", "nima-mobilenet")
    sets = registry.model_card("nima-mobilenet")["weights"]
    text = " ".join(result.stdout.split())
    for weights in sets.values():
        for key in ("task", "url", "git_blob", "licence", "data", "terms", "where"):
            assert weights[key] in text
        for note in weights["notes"]:
            assert note in text
    assert "224 x 224 pixels; photos are fitted by stretch, shrunk by nearest" in text
    assert "plus 1" in text


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
    "command", [("models", "nima-mobilnetv2"), ("models", "show", "nima-mobilnetv2")]
)
def test_near_names_are_told(command):
    result = iqa_zoo(*command)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Did you mean nima-mobilenetv2" in result.stderr
