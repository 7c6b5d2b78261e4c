"""What the training loop and its pipeline cost, and what the cached trunk saves.

    python benchmarks/training_loop.py --data ../shared/data/clive

overhead   seconds a step of our loop over those of a bare tf.function step, on the same
           network (all of it trained), batch and optimizer; rounds interleaved, medians
pipeline   pictures a second that the pipeline gives alone over those that the training
           step takes, for cached trunks and for JPEG files read anew
race       seconds until a validation SROCC is reached: ours from nothing (cache made on
           the way) against Keras `fit` with frozen layers, the same loss, rates, crops,
           ridge start and averaging, and a pipeline that decodes in every epoch

The level of the race is the best that both reach. Parts can be named: --parts overhead.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from machine import machine

from iqa_zoo import registry
from iqa_zoo.correlation import srocc
from iqa_zoo.data.manifest import read_labels
from iqa_zoo.data.pictures import Decoded
from iqa_zoo.data.splits import fixed_split
from iqa_zoo.files import write_bytes
from iqa_zoo.models.losses import OpinionLoss
from iqa_zoo.opinions import bin_values
from iqa_zoo.training.batches import Batches
from iqa_zoo.training.loop import Loop
from iqa_zoo.training.stages import predictor, set_head
from iqa_zoo.training.train import train
from iqa_zoo.training.trunk import above, cached_inputs

RESULTS = Path(__file__).parent / "results" / "training_loop.json"
SCALE = (1, 10)
SMALL = {"size": [224, 224], "fit": "stretch", "shrink": "area", "enlarge": "corner"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", default=["overhead", "pipeline", "race"])
    parser.add_argument("--model", default="nima-efficientnet-lite0")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    labels = read_labels(options.data / "mos.csv", options.data / "images")
    results = json.loads(options.out.read_text()) if options.out.exists() else {}
    measures = {"overhead": overhead, "pipeline": pipeline, "race": race}
    for part in options.parts:
        found = measures[part](labels, options)
        found = {"machine": machine(), "model": options.model, **found}
        if part == "race":  # networks differ in what caching saves
            results.setdefault(part, {})[options.model] = found
        else:
            results[part] = found
        print(json.dumps({part: found}, indent=1))
        text = json.dumps(results, indent=1, sort_keys=True) + "\n"
        write_bytes(options.out, text.encode())


def overhead(labels, options) -> dict:
    stage = {
        **registry.model_card(options.model)["recipe"][0],
        **{"name": "all layers", "frozen_to": "none", "epochs": 1000},
    }
    for key in ("ridge", "average", "crop"):
        stage.pop(key, None)
    rows = np.arange(64)
    targets = labels.distribution()[rows].astype(np.float32)
    inputs = np.stack([Decoded(labels.paths, SMALL)[row] for row in rows])

    network = registry.load_model(options.model, "imagenet")
    loop = Loop(network, stage, inputs, targets, rows=rows, scale=SCALE, seed=(0, 0))
    ours = loop.run()

    other = registry.load_model(options.model, "imagenet")
    for layer in other.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    trained = other.trainable_variables
    optimizer = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(stage["learning_rate"], 1000),
        weight_decay=stage["weight_decay"],
    )
    optimizer.build(trained)
    loss = OpinionLoss(stage["loss"], SCALE)
    batch = loop.batches.size
    x, y = tf.constant(inputs[:batch, 0], tf.float32), tf.constant(targets[:batch])

    @tf.function
    def bare():
        with tf.GradientTape() as tape:
            value = loss(y, other(x, training=True))
        optimizer.apply(tape.gradient(value, trained), trained)
        return value

    def step_ours() -> None:
        next(ours)
        loop.look()

    def step_bare() -> None:
        float(bare())

    seconds = {"ours": [], "bare": []}
    for step in (step_ours, step_bare):
        step()  # compiles
    both = [("ours", step_ours), ("bare", step_bare)]
    for _ in range(options.rounds):
        both.reverse()  # neither always comes first
        for name, step in both:
            begun = time.perf_counter()
            for _ in range(options.steps):
                step()
            seconds[name].append((time.perf_counter() - begun) / options.steps)
    ratios = [a / b for a, b in zip(seconds["ours"], seconds["bare"], strict=True)]
    return {
        "batch": [batch, 224, 224, 3],
        "ours_s": statistics.median(seconds["ours"]),
        "bare_s": statistics.median(seconds["bare"]),
        "ratio": statistics.median(ratios),
        "ratios": [round(ratio, 4) for ratio in ratios],
    }


def pipeline(labels, options) -> dict:
    card = registry.model_card(options.model)
    stage = card["recipe"][0]
    network = registry.load_model(options.model, "imagenet")
    rows = np.arange(160)
    targets = labels.distribution().astype(np.float32)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        trunk = keras.Model(
            network.inputs, network.get_layer(stage["frozen_to"]).output
        )
        cached = cached_inputs(
            trunk, labels.paths[:160], card["input"], Path(folder), mirror=True
        )
        for name, inputs, below_too in (
            ("cached_trunk", cached, False),
            ("jpeg_files", Decoded(labels.paths, card["input"], room=0), True),
        ):
            loop = Loop(
                network,
                {**stage, "epochs": 100},
                inputs,
                targets,
                rows=rows,
                scale=SCALE,
                seed=(0, 0),
                below_too=below_too,
            )
            taken = []
            for _ in loop.run():
                taken.append(time.perf_counter())
                loop.look()
                if len(taken) == 7:
                    break
            step = statistics.median(np.diff(taken[1:]))
            data = iter(
                Batches(inputs, targets, {**stage, "epochs": 100}, rows, (0,)).dataset(
                    0
                )
            )
            next(data)
            begun = time.perf_counter()
            for _ in range(20):
                next(data)
            given = (time.perf_counter() - begun) / 20
            batch = loop.batches.size
            found[name] = {
                "step_takes_per_s": batch / step,
                "pipeline_gives_per_s": batch / given,
                "ratio": step / given,
            }
    return found


class _Clock(keras.callbacks.Callback):
    """Validation SROCC of each epoch, with the seconds since `begun`."""

    def __init__(self, begun: float, measure=None) -> None:
        super().__init__()
        self.begun, self.measure = begun, measure
        self.points: list[tuple[float, float]] = []

    def on_epoch_end(self, epoch, logs=None) -> None:
        seconds = time.perf_counter() - self.begun
        found = self.measure() if self.measure else logs["validation_srocc"]
        self.points.append((round(seconds, 1), round(float(found), 4)))
        print(self.points[-1], flush=True)


def race(labels, options) -> dict:
    ours = _ours(labels, options)
    naive = _naive(labels, options)
    level = min(max(found for _, found in points) for points in (ours, naive))
    reached = [
        next(seconds for seconds, found in points if found >= level)
        for points in (ours, naive)
    ]
    return {
        "level": level,
        "ours": ours,
        "naive": naive,
        "ours_s": reached[0],
        "naive_s": reached[1],
        "ratio": reached[1] / reached[0],
    }


def _ours(labels, options) -> list:
    clock = _Clock(time.perf_counter())
    with tempfile.TemporaryDirectory() as folder:
        train(
            labels,
            model=options.model,
            out=Path(folder) / "run",
            start="imagenet",
            callbacks=[clock],
        )
    return clock.points


def _naive(labels, options) -> list:
    begun = time.perf_counter()
    keras.utils.set_random_seed(0)
    card = registry.model_card(options.model)
    stage, rule = card["recipe"][0], card["input"]
    split = fixed_split(len(labels.mos), 0)
    targets = labels.distribution().astype(np.float32)
    network = registry.load_model(options.model, "imagenet")
    upper = above(network, stage["frozen_to"])
    free = {layer.name for layer in upper.layers}
    for layer in network.layers:
        norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = layer.name in free and not norm
    height, width = rule["size"]
    crop = [round(side * stage["crop"]) for side in (height, width)]

    def picture(path):
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        image = tf.image.resize(image, (height, width))
        return tf.ensure_shape(image, (height, width, 3))

    def example(path, target):
        image = tf.image.random_flip_left_right(picture(path))
        return tf.image.random_crop(image, [*crop, 3]), target

    paths = np.array([str(path) for path in labels.paths])
    fitting, validation = split.fitting, split.validation
    if "ridge" in stage:
        pooled = above(network, "none", "pool")
        decoded = Decoded(labels.paths, rule)
        set_head(network, pooled, stage["ridge"], decoded, targets, fitting)
    data = (
        tf.data.Dataset.from_tensor_slices((paths[fitting], targets[fitting]))
        .shuffle(len(fitting), seed=0)
        .map(example, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(stage["batch"], drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )
    steps = len(fitting) // stage["batch"] * stage["epochs"]
    network.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(stage["learning_rate"], steps),
            weight_decay=stage["weight_decay"],
            use_ema=True,
            ema_momentum=stage["average"],
        ),
        loss=OpinionLoss(stage["loss"], SCALE),
    )
    answer = predictor(network)
    bins = bin_values(SCALE, card["output"]["bins"])

    def measure() -> float:
        found = answer(Decoded(labels.paths, rule), validation) @ bins
        return srocc(labels.mos[validation], found)

    clock = _Clock(begun, measure)
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    # The averages are swapped in before the clock measures.
    network.fit(data, epochs=stage["epochs"], callbacks=[swap, clock], verbose=0)
    return clock.points


if __name__ == "__main__":
    main()
