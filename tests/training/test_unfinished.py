"""The folder of a run: whose it is, what stays in it, and who may write there."""

import json

import numpy as np
import pytest

from iqa_zoo.errors import OutputError, UsageError
from iqa_zoo.training.unfinished import FINISHED, PARTS, claimed

PLAN = {"model": "a", "seed": 0, "split": {"train": [1, 2]}, "scale": (1, 10)}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "runs" / "run"


def save(place, number):
    place.save(number, {"a": np.zeros(3)}, {"step": number})


def begin(out, number, plan=PLAN):
    """A training that is ended by an error after it saved `number`."""
    with pytest.raises(ZeroDivisionError), claimed(out) as place:
        place.follow(plan)
        if number is not None:
            save(place, 0)
            save(place, number)
        (out / "history.csv").write_text("stage,epoch\n")
        (out / "logs").mkdir(exist_ok=True)
        (out / "logs" / "events").touch()
        raise ZeroDivisionError


@pytest.mark.parametrize("number", [None, 0])
def test_nothing_stays_of_what_failed_before_a_saved_step(out, number):
    begin(out, number)
    assert out.is_dir() and not any(out.iterdir())


def test_what_was_saved_stays(out):
    begin(out, 5)
    with claimed(out) as place:
        assert place.saved
        place.follow(PLAN)
        assert not place.finished
        assert (place.checkpoints / "000000005" / "complete").exists()
        (out / FINISHED).touch()
    assert sorted(path.name for path in out.iterdir()) == [
        *(FINISHED, "history.csv", "logs")
    ]


def test_an_error_before_anything_new_is_saved_keeps_the_old(out):
    begin(out, 5)
    begin(out, None)
    with claimed(out) as place:
        assert place.saved


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"seed": 1}, "another seed"),
        ({"model": "b", "split": {"train": [2, 1]}}, "another model and split"),
    ],
)
def test_another_plan_is_refused(out, changes, words):
    begin(out, 5)
    with pytest.raises(UsageError, match=words) as caught, claimed(out) as place:
        place.follow(PLAN | changes)
    assert str(out / "unfinished") in str(caught.value)
    with claimed(out) as place:  # and the first is as it was
        place.follow(PLAN)
        assert place.saved


def kill_within(out, plan, number=None):
    """Leave the folder as a killed process does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("iqa_zoo.training.unfinished.Unfinished.remove", lambda _: None)
        patch.setattr("iqa_zoo.training.unfinished._remove_parts", lambda _: None)
        begin(out, number, plan)


def test_another_plan_may_follow_where_no_step_was_saved(out):
    """The trial of the disk, with the other plan's start in it, does not count."""
    kill_within(out, PLAN, 0)
    assert (out / "unfinished" / "checkpoints" / "000000000").is_dir()
    with claimed(out) as place:
        place.follow(PLAN | {"seed": 1})
        assert not place.saved
        assert not place.checkpoints.exists()
        assert json.loads((place.folder / "plan.json").read_bytes())["seed"] == 1


def test_killed_before_the_plan_was_written(out):
    (out / "unfinished").mkdir(parents=True)
    with claimed(out) as place:
        place.follow(PLAN)
        assert not place.saved and not place.finished


@pytest.mark.parametrize("gone", [[], ["plan.json"], ["checkpoints"]])
def test_killed_while_a_finished_run_was_tidied_up(out, gone):
    """It is not trained again, whatever is gone of what it needed."""
    kill_within(out, PLAN, 5)
    (out / FINISHED).touch()
    for name in gone:
        path = out / "unfinished" / name
        path.rename(out.parent / name)
    with claimed(out) as place:
        place.follow(PLAN)
        assert place.finished
    assert not (out / "unfinished").exists()
    assert (out / FINISHED).exists()


def test_a_finished_run_and_what_is_no_run_are_left_alone(out):
    with claimed(out) as place:
        place.follow(PLAN)
        (out / FINISHED).touch()
    for name in (FINISHED, "notes.txt", "weights.safetensors"):
        other = out.parent / name
        other.mkdir()
        (other / name).touch()
        with (
            pytest.raises(UsageError, match=rf"files already \({name}\)"),
            claimed(other),
        ):
            pytest.fail("it was taken")
        assert [path.name for path in other.iterdir()] == [name]


def test_what_a_killed_run_wrote_is_not_in_the_way(out):
    kill_within(out, PLAN, 5)
    for name in PARTS - {"logs"}:
        (out / name).touch()
    (out / ".card.toml.0123.part").touch()
    (out / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"notes\.txt"), claimed(out):
        pytest.fail("it was taken")
    (out / "notes.txt").unlink()
    with claimed(out) as place:
        assert place.saved
    assert {path.name for path in out.iterdir()} == PARTS


def test_two_at_once(out):
    with claimed(out) as place:
        place.follow(PLAN)
        save(place, 3)
        with (
            pytest.raises(OutputError, match="another process is writing"),
            claimed(out),
        ):
            pytest.fail("it was taken")
        assert (place.checkpoints / "000000003").is_dir()
    with claimed(out):
        pass


def test_the_other_finished_before_the_lock_was_had(out, monkeypatch):
    """What this process saw before it had the lock does not count."""
    from iqa_zoo.training import unfinished

    kill_within(out, PLAN, 5)
    real = unfinished.lock

    def lock(stream, name):
        (out / FINISHED).touch()
        real(stream, name)

    monkeypatch.setattr(unfinished, "lock", lock)
    with claimed(out) as place:
        place.follow(PLAN)
        assert place.finished


@pytest.mark.parametrize("what", ["file", "file/run"])
def test_no_folder_can_be_made(tmp_path, what):
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match="Cannot make the folder"),
        claimed(tmp_path / what),
    ):
        pytest.fail("it was taken")
