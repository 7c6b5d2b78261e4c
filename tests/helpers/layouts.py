"""Weight files in the layouts that others publish, made as they make them."""

from io import BytesIO

import h5py
import numpy as np


def npz(*, compressed=False, **held) -> bytes:
    file = BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **held)
    return file.getvalue()


def keras_h5(held, *, names=None, inside=None, libver="earliest") -> bytes:
    """A file as Keras's `save_weights` of old wrote it.

    Args:
        held: arrays by "LAYER/WEIGHT".
        names: how a list of names is written into an attribute; bytes by default.
        inside: the group that holds the layers, in place of the root.
        libver: what h5py may assume of its readers, which changes how it writes.
    """
    names = names or (lambda texts: [text.encode() for text in texts])
    file = BytesIO()
    with h5py.File(file, "w", libver=libver) as root:
        top = root.create_group(inside) if inside else root
        layers = ["image", *dict.fromkeys(key.partition("/")[0] for key in held)]
        top.attrs["layer_names"] = names(layers)
        for layer in layers:
            group = top.create_group(layer)
            weights = {k: v for k, v in held.items() if k.startswith(f"{layer}/")}
            group.attrs["weight_names"] = names([f"{key}:0" for key in weights])
            for key, array in weights.items():
                group[f"{key}:0"] = array
    return file.getvalue()
