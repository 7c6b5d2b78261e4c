"""CNNIQA and WaDIQaM-NR beside the same networks in PyTorch: agreement and rate.

    python -m venv peer && peer/bin/pip install torch numpy --index-url \\
        https://download.pytorch.org/whl/cpu
    python benchmarks/torch_peers.py peer/bin/python

PyTorch runs in an environment of its own. The networks are written out here as their
ports on GitHub do it: a photo's patches side by side are one batch. Both sides start
from uint8 photos of 500 x 500 pixels in memory and have a thread a core; ours has one
photo on each, as `iqa_zoo.score` does. They take turns; the medians of the rounds are
compared. Weights are random and the same.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
from machine import record
from own_size import by_keras, pictures, random_run

from iqa_zoo import registry
from iqa_zoo.engines import make_engine
from iqa_zoo.threads import cores

MODELS = ("cnniqa", "wadiqam-nr")
PHOTOS, ROUNDS, SIZE = 8, 7, (500, 500)

PEER = """
import json, sys, time
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

arrays, photos, threads = np.load(sys.argv[1]), np.load(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
torch.set_grad_enabled(False)

def conv(name, **how):
    kernel = torch.from_numpy(arrays[name + "/kernel"].transpose(3, 2, 0, 1).copy())
    layer = nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[2], **how)
    layer.weight.data = kernel
    layer.bias.data = torch.from_numpy(arrays[name + "/bias"])
    return layer

def dense(name):
    kernel = torch.from_numpy(arrays[name + "/kernel"].T.copy())
    layer = nn.Linear(kernel.shape[1], kernel.shape[0])
    layer.weight.data = kernel
    layer.bias.data = torch.from_numpy(arrays[name + "/bias"])
    return layer

def cut(x):
    n, c, h, w = x.shape
    x = x[:, :, : h // 32 * 32, : w // 32 * 32]
    x = x.unfold(2, 32, 32).unfold(3, 32, 32)
    return x.permute(0, 2, 3, 1, 4, 5).reshape(-1, c, 32, 32)

class CNNIQA(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = conv("conv")
        self.fc1, self.fc2, self.out = map(dense, ("fc1", "fc2", "patch_score"))

    def forward(self, image):
        luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
        x = cut((image * luma).sum(1, keepdim=True)) - 128
        around = x
        for axis in (2, 3):  # its mirror image around it
            first, last = around.narrow(axis, 0, 3), around.narrow(axis, 29, 3)
            around = torch.cat([first.flip(axis), around, last.flip(axis)], axis)
        mean = F.avg_pool2d(around, 7, 1)
        square = F.avg_pool2d(around * around, 7, 1)
        x = (x - mean) / ((square - mean * mean).clamp_min(1e-6).sqrt() + 10)
        x = self.conv(x)
        x = torch.cat([x.amax((2, 3)), x.amin((2, 3))], 1)
        return self.out(F.relu(self.fc2(F.relu(self.fc1(x))))).mean()

class WaDIQaM(nn.Module):
    def __init__(self):
        super().__init__()
        names = sorted({n.partition("/")[0] for n in arrays if n.startswith("conv")})
        self.convs = nn.ModuleList([conv(name, padding=1) for name in names])
        self.heads = nn.ModuleList(map(dense, (
            "score_fc", "patch_score", "weight_fc", "patch_weight")))

    def forward(self, image):
        x = cut(image) / 255
        for number, layer in enumerate(self.convs):
            x = F.relu(layer(x))
            if number % 2:
                x = F.max_pool2d(x, 2)
        x = x.flatten(1)
        fc, score, weight_fc, weight = self.heads
        scores = score(F.relu(fc(x)))
        weights = F.relu(weight(F.relu(weight_fc(x)))) + 1e-6
        return (scores * weights).sum() / weights.sum()

network = {"cnniqa": CNNIQA, "wadiqam-nr": WaDIQaM}[sys.argv[4]]().eval()

def ask():
    return [
        float(network(torch.from_numpy(p).permute(2, 0, 1)[None].float()))
        for p in photos
    ]

print(json.dumps(ask()), flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    ask()
    print(time.perf_counter() - start, flush=True)
"""


def main() -> None:
    python = sys.argv[1]
    with tempfile.TemporaryDirectory() as work:
        os.environ["IQA_ZOO_HOME"] = f"{work}/store"
        rows = [measured(name, python, Path(work)) for name in MODELS]
    record("torch_peers.json", {"threads": cores(), "rows": rows})


def measured(name: str, python: str, work: Path) -> dict:
    """A row of the results."""
    keras.utils.set_random_seed(1)
    network = registry.load_network(name, None)
    run = random_run(name, network, work / name)
    engine = make_engine(registry.resolve(run), "litert")
    photos = pictures(name, PHOTOS, SIZE)
    named = {path: v.numpy() for path, v in registry.variables(network).items()}
    np.savez(work / f"{name}.npz", **named)
    np.save(work / "photos.npy", np.stack(photos))

    def ours() -> float:
        start = time.perf_counter()
        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(lambda photo: engine.predict([photo]), photos))
        return time.perf_counter() - start

    files = [str(work / f"{name}.npz"), str(work / "photos.npy")]
    with peer([python, "-c", PEER, *files, str(cores()), name]) as (said, theirs):
        ours(), theirs()  # the first time, both prepare themselves
        turns = [(ours(), theirs()) for _ in range(ROUNDS)]
    expected = np.concatenate([by_keras(network, photo[None]) for photo in photos])
    mine, other = (
        PHOTOS / statistics.median(times) for times in zip(*turns, strict=True)
    )
    return {
        "model": name,
        "images_per_second": round(mine, 2),
        "torch_images_per_second": round(other, 2),
        "times_as_fast": round(mine / other, 2),
        "largest_difference": float(np.abs(np.array(said) - expected[:, 0]).max()),
    }


@contextmanager
def peer(command: list[str]) -> Iterator[tuple]:
    """What the other process says of the photos, and what makes it do so again."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        said = json.loads(process.stdout.readline())

        def again() -> float:
            process.stdin.write("again\n")
            process.stdin.flush()
            return float(process.stdout.readline())

        yield said, again
        process.stdin.close()


if __name__ == "__main__":
    main()
