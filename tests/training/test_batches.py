"""What a stage draws: pictures in an order, cropped and mirrored, by seed and step."""

import numpy as np
import pytest

from iqa_zoo.training.batches import Batches, augmented

RANDOM = np.random.default_rng(0)
TARGETS = RANDOM.dirichlet(np.ones(10), 12).astype("float32")
INPUTS = RANDOM.normal(size=(12, 2, 6, 8, 4)).astype("float16")
PICTURES = RANDOM.integers(0, 256, (12, 1, 12, 16, 3), "uint8")
STAGE = {"epochs": 3, "batch": 4}


def batches(inputs=PICTURES, *, first_row=1, seed=(3, 0), replicas=1, **changes):
    rows = np.arange(first_row, len(inputs))
    return Batches(inputs, TARGETS, STAGE | changes, rows, seed, replicas)


def arrays(dataset):
    return [(x.numpy(), y.numpy()) for x, y in dataset]


def assert_equal(found, wanted):
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def row_of(target):
    return np.flatnonzero((target == TARGETS).all(1)).item()


def test_pictures_come_with_their_own_targets():
    drawn = batches(epochs=1)
    found = arrays(drawn.dataset(0))
    # Of 11 rows, 4 at a time; the last 3 wait for the next epoch.
    assert (drawn.size, drawn.an_epoch, drawn.steps, len(found)) == (4, 2, 2, 2)
    seen = []
    for x, y in found:
        assert x.dtype == np.float32
        for image, target in zip(x, y, strict=True):
            row = row_of(target)
            np.testing.assert_array_equal(image, PICTURES[row, 0])
            seen.append(row)
    assert len(set(seen)) == 8
    assert 0 not in seen


def test_an_epoch_sees_no_picture_twice_and_each_in_another_order():
    drawn = batches(first_row=0)
    epochs = [
        np.concatenate([drawn.rows_of(3 * epoch + place) for place in range(3)])
        for epoch in range(3)
    ]
    for rows in epochs:
        assert sorted(rows) == list(range(12))
    assert len({tuple(rows) for rows in epochs}) == 3


@pytest.mark.parametrize("inputs", [PICTURES, INPUTS], ids=["pictures", "views"])
def test_all_follows_from_seed_and_step(inputs):
    """From any step on, the same comes as if the training had never stopped."""
    changes = {"mirror": True, "crop": 0.5}
    whole = arrays(batches(inputs, **changes).dataset(0))
    assert len(whole) == 6
    for first in (1, 2, 5, 6):
        again = batches(inputs, **changes)
        assert_equal(arrays(again.dataset(first)), whole[first:])
    one, two = (batches(inputs, seed=seed, **changes) for seed in ((4, 0), (3, 1)))
    for other in (one, two):
        assert any((other.draw(step) != whole[step][0]).any() for step in range(6))
    # A picture that comes again is cropped and mirrored anew.
    views = np.stack([batches(inputs, batch=11, **changes).draw(s) for s in range(3)])
    assert len({view.tobytes() for view in views.reshape(33, -1)}) > 22


@pytest.mark.parametrize("of", [2, 4])
def test_parts_of_replicas_make_up_the_batch(of):
    changes = {"mirror": True, "crop": 0.75, "replicas": of}
    whole = arrays(batches(**changes).dataset(1))
    share = 4 // of
    parts = [
        arrays(batches(**changes).dataset(1, replicas=[r], of=of)) for r in range(of)
    ]
    for step, (x, y) in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([p[step][0] for p in parts]), x)
        for part in parts:
            assert part[step][0].shape == (share, 9, 12, 3)
            np.testing.assert_array_equal(part[step][1], y)  # of the whole batch
    # A worker with two replicas gets both parts of a step, one after the other.
    both = arrays(batches(**changes).dataset(1, replicas=[0, 1], of=of))
    assert_equal(both, [pair for two in zip(*parts[:2], strict=True) for pair in two])


def test_batches_are_divided_evenly():
    assert batches(batch=11, replicas=4).size == 8
    assert batches(batch=3, replicas=4).size == 4
    few = batches(first_row=10, replicas=4)  # two pictures for four replicas
    assert (few.size, few.an_epoch) == (4, 1)
    assert sorted(few.rows_of(0)) == [10, 10, 11, 11]
    assert few.draw(0).shape == (4, 12, 16, 3)


def test_fewer_pictures_than_a_batch():
    few = batches(first_row=9)
    assert (few.size, few.an_epoch, few.steps) == (3, 1, 3)


def test_crops_lie_within_their_pictures():
    places = set()
    for x, y in arrays(batches(crop=0.75).dataset(0)):
        assert x.shape[1:] == (9, 12, 3)
        for image, target in zip(x, y, strict=True):
            windows = np.lib.stride_tricks.sliding_window_view(
                PICTURES[row_of(target), 0], (9, 12, 3)
            )
            found = (windows[:, :, 0] == image).all((2, 3, 4))
            assert found.sum() == 1
            places.add(np.flatnonzero(found).item())
    assert len(places) > 8  # of 4 by 5


def test_mirror_images_half_of_the_time():
    random = np.random.default_rng(0)
    stage = STAGE | {"mirror": True}
    drawn = [augmented(PICTURES[0], stage, random) for _ in range(200)]
    mirrored = sum((x == PICTURES[0, 0, :, ::-1]).all() for x in drawn)
    assert mirrored + sum((x == PICTURES[0, 0]).all() for x in drawn) == 200
    assert 70 < mirrored < 130
    # Where both views are kept, one of them is drawn and nothing is turned again.
    drawn = [augmented(INPUTS[0], stage, random) for _ in range(200)]
    second = sum((x == INPUTS[0, 1]).all() for x in drawn)
    assert second + sum((x == INPUTS[0, 0]).all() for x in drawn) == 200
    assert 70 < second < 130
