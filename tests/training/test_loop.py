"""The steps of one stage: what they change, what they leave, and going on from one."""

import keras
import numpy as np
import pytest

from iqa_zoo import registry
from iqa_zoo.errors import TrainingError
from iqa_zoo.training.loop import Loop
from tests.helpers.small import eagerly, packaged, small

RANDOM = np.random.default_rng(0)
TARGETS = RANDOM.dirichlet(np.ones(10), 12).astype("float32")
INPUTS = RANDOM.normal(size=(12, 2, 6, 8, 4)).astype("float16")
PICTURES = RANDOM.integers(0, 256, (12, 1, 12, 16, 3), "uint8")
STAGE = {
    "name": "a stage",
    "frozen_to": "low_out",
    "epochs": 1,
    "batch": 4,
    "learning_rate": 1e-2,
    "loss": {"emd": 1.0},
}


@pytest.fixture(scope="module", autouse=True)
def _eager():
    with eagerly():
        yield


def build(**arguments):
    keras.utils.set_random_seed(1)
    return small(**arguments)


@pytest.fixture
def network():
    return build()


def loop_of(network, inputs=INPUTS, rows=12, **changes):
    return Loop(
        network,
        STAGE | changes,
        inputs,
        TARGETS,
        rows=np.arange(rows),
        scale=(1, 10),
        seed=(0, 0),
    )


def weights(network):
    return {path: v.numpy() for path, v in registry.variables(network).items()}


def trained(network, inputs=INPUTS, rows=12, **changes):
    """Paths of the variables that a stage changed, and the sum and number of losses."""
    before = weights(network)
    loop = loop_of(network, inputs, rows, **changes)
    steps = list(loop.run())
    assert steps == list(range(1, loop.batches.steps + 1))
    loop.look()
    loop.take_averages()
    after = weights(network)
    return {path for path in after if (after[path] != before[path]).any()}, loop.losses


UPPER = {
    "high_conv/kernel",
    "high_bn/gamma",
    "high_bn/beta",
    "head/kernel",
    "head/bias",
}
STATISTICS = {"high_bn/moving_mean", "high_bn/moving_variance"}


# --- what is trained ------------------------------------------------------------------


def test_frozen_normalisation(network):
    changed, (total, count) = trained(network)
    assert changed == {"high_conv/kernel", "head/kernel", "head/bias"}
    assert count == 3 and 0 < total < 3


def test_live_normalisation(network):
    changed, _ = trained(network, batch_norm="live")
    assert changed == UPPER | STATISTICS


def test_nothing_frozen(network):
    changed, _ = trained(network, PICTURES, frozen_to="none", batch_norm="live")
    assert changed == weights(network).keys()


def test_fewer_pictures_than_a_batch(network):
    changed, (_, count) = trained(network, rows=3, warmup=0.5, epochs=2)
    assert "head/kernel" in changed
    assert count == 2


def test_pictures_through_frozen_layers_train_what_their_outputs_do():
    """Where nothing can be kept on the disk, the frozen layers run in every step."""
    from iqa_zoo.training.trunk import below

    kept, streamed = build(), build()
    low = below(kept, "low_out")
    outputs = low.predict_on_batch(PICTURES[:, 0].astype("float32"))[:, None]
    list(loop_of(kept, outputs).run())
    loop = Loop(
        streamed,
        STAGE,
        PICTURES,
        TARGETS,
        rows=np.arange(12),
        scale=(1, 10),
        seed=(0, 0),
        below_too=True,
    )
    assert loop.upper.layers == streamed.layers
    list(loop.run())
    wanted, found = weights(kept), weights(streamed)
    for path in wanted:
        np.testing.assert_allclose(found[path], wanted[path], atol=1e-6, err_msg=path)


# --- how ------------------------------------------------------------------------------


def test_a_rate_of_nearly_zero_changes_nearly_nothing(network):
    """The average of the weights starts from the weights, not from zero."""
    before = network.get_layer("head").get_weights()
    trained(network, learning_rate=1e-9, average=0.9, epochs=2)
    for old, new in zip(before, network.get_layer("head").get_weights(), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-6)


def test_averages_are_those_of_the_weights_after_every_step(network):
    loop = loop_of(network, average=0.75, learning_rate=0.1)
    kernel = network.get_layer("head").kernel
    wanted = kernel.numpy()
    for _ in loop.run():
        wanted = 0.75 * wanted + 0.25 * kernel.numpy()
    last = kernel.numpy()
    with loop.averaged():
        np.testing.assert_allclose(kernel.numpy(), wanted, rtol=1e-5)
    np.testing.assert_array_equal(kernel.numpy(), last)
    assert np.abs(wanted - last).max() > 0.01
    loop.take_averages()
    np.testing.assert_allclose(kernel.numpy(), wanted, rtol=1e-5)


def test_two_batches_accumulated_are_one_of_twice_the_size():
    """For a loss of single pictures, with the same rate at the same picture."""
    one, two = build(dropout=0.0), build(dropout=0.0)
    changes = {"weight_decay": 0.1, "clip": 0.05, "epochs": 3, "average": 0.5}
    trained(one, INPUTS[:, :1], rows=8, batch=8, **changes)
    trained(two, INPUTS[:, :1], rows=8, batch=4, accumulate=2, **changes)
    wanted, found = weights(one), weights(two)
    for path in wanted:
        np.testing.assert_allclose(found[path], wanted[path], atol=2e-5, err_msg=path)
    moved = np.abs(wanted["head/kernel"] - weights(build())["head/kernel"]).max()
    assert moved > 5e-3


def test_nothing_changes_before_enough_batches_are_accumulated(network):
    loop = loop_of(network, accumulate=3)
    kernel = network.get_layer("head").kernel
    before = kernel.numpy()
    changed = [(kernel.numpy() != before).any() for _ in loop.run()]
    assert changed == [False, False, True]


def test_clipped_gradients():
    """AdamW makes steps of the same size of any gradients but very small ones."""

    def moved(**changes):
        network = build()
        before = weights(network)
        trained(network, **changes)
        after = weights(network)
        return np.concatenate([np.ravel(after[p] - before[p]) for p in before])

    free = moved()
    assert np.abs(free).max() > 1e-3
    np.testing.assert_array_equal(moved(clip=1e6), free)
    assert np.abs(moved(clip=1e-10)).max() < 1e-2 * np.abs(free).max()


def test_the_rate_rises_and_falls(network):
    loop = loop_of(network, epochs=4, warmup=0.25)
    rates = [float(loop.optimizer.learning_rate)]
    rates += [float(loop.optimizer.learning_rate) for _ in loop.run()]
    assert len(rates) == 13
    np.testing.assert_allclose(rates[:4], [0, 1e-2 / 3, 2e-2 / 3, 1e-2], rtol=1e-5)
    assert (np.diff(rates[3:]) < 0).all()
    assert rates[-1] == pytest.approx(0, abs=1e-8)


# --- going on -------------------------------------------------------------------------

EVERYTHING = {
    "frozen_to": "none",
    "batch_norm": "live",
    "average": 0.9,
    "accumulate": 2,
    "weight_decay": 1e-3,
    "clip": 0.5,
    "crop": 0.75,
    "mirror": True,
    "epochs": 2,
    "loss": {"emd": 1.0, "plcc": 0.5, "ranking": 0.1},
}


def test_going_on_from_any_step_ends_with_the_same_bits():
    """Also within an epoch, and between two batches that are accumulated."""
    whole = build()
    loop = loop_of(whole, PICTURES, **EVERYTHING)
    kept = {}
    for step in loop.run():
        loop.look()
        if step in (1, 4):
            kept[step] = weights(whole), loop.arrays(), list(loop.losses)
    wanted, state = weights(whole), loop.arrays()
    for step, (arrays, others, losses) in kept.items():
        network = build()
        keras.utils.set_random_seed(99)  # nothing may follow from the global seeds
        again = loop_of(network, PICTURES, **EVERYTHING)
        for path, variable in registry.variables(network).items():
            variable.assign(arrays[path])
        again.restore(others)
        again.losses = losses
        assert list(again.run(step)) == [*range(step + 1, 7)]
        again.look()
        assert again.losses == loop.losses
        for path, array in weights(network).items():
            np.testing.assert_array_equal(array, wanted[path], err_msg=path)
        for name, array in again.arrays().items():
            np.testing.assert_array_equal(array, state[name], err_msg=name)


def test_dropout_follows_from_seed_and_step():
    def losses(seed, first=0):
        network = build(dropout=0.9)
        stage = STAGE | {"learning_rate": 1e-9, "epochs": 2}
        loop = Loop(
            network,
            stage,
            np.repeat(INPUTS[:1, :1], 4, axis=0),
            np.repeat(TARGETS[:1], 4, axis=0),
            rows=np.arange(4),
            scale=(1, 10),
            seed=seed,
        )
        found = []
        for _ in loop.run(first):
            loop.look()
            found.append(loop.losses[0])
            loop.losses = [0.0, 0]
        return found

    once = losses((0, 0))
    # Nothing else differs between steps and seeds here.
    assert len(set(once)) == 2
    assert losses((0, 0)) == once and losses((0, 0), 1) == once[1:]
    assert losses((0, 1)) != once and losses((1, 0)) != once


# --- losses ---------------------------------------------------------------------------


def test_a_loss_that_is_no_number_names_its_step(network):
    loop = loop_of(network, epochs=3)
    for step in loop.run():
        if step == 4:
            network.get_layer("head").bias.assign(np.full(10, np.nan))
        if step == 6:
            break
    with pytest.raises(TrainingError, match="The loss of step 5 is nan") as caught:
        loop.look()
    assert caught.value.step == 4


@pytest.mark.parametrize("term", ["emd", "plcc", "huber", "mse", "ranking"])
def test_every_loss_falls(term):
    network = build(dropout=0.0)
    rows, loss = 8, {term: 1.0}
    loop = loop_of(network, rows=rows, batch=8, epochs=8, loss=loss, learning_rate=0.1)
    losses = []
    for _ in loop.run():
        loop.look()
        losses.append(loop.losses[0])
        loop.losses = [0.0, 0]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_loss_falls_in_16_bits(precision):
    keras.config.set_dtype_policy(precision)
    try:
        network = build(dropout=0.0)
        loop = loop_of(network, batch=12, epochs=8, learning_rate=0.1)
        assert {v.dtype for v in loop.trained} == {"float32"}
        losses = []
        for _ in loop.run():
            loop.look()
            losses.append(loop.losses[0])
            loop.losses = [0.0, 0]
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.9 * losses[0]


def test_the_same_network_in_another_stage():
    """What one stage froze the next one trains, and the other way round."""
    network = build()
    assert "low_conv/kernel" not in trained(network)[0]
    both, _ = trained(network, PICTURES, frozen_to="none", batch_norm="live")
    assert "low_conv/kernel" in both
    assert trained(network)[0] == {"high_conv/kernel", "head/kernel", "head/bias"}


def test_of_a_packaged_model():
    with packaged() as name:
        keras.utils.set_random_seed(1)
        network = registry.load_model(name, None)
    assert "head/kernel" in trained(network)[0]
