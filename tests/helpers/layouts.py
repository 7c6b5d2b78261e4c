"""Weight files in the layouts that others publish, made as they make them."""

import zipfile
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


def libsvm_files(arrays):
    """The two files as the authors' programs would write them."""
    model = [
        "svm_type epsilon_svr",
        "kernel_type rbf",
        f"gamma {arrays['gamma'].item()}",
        "nr_class 2",
        f"total_sv {len(arrays['coef'])}",
        f"rho {arrays['rho'].item()}",
        "SV",
    ]
    for coef, row in zip(arrays["coef"], arrays["support_vectors"], strict=True):
        cells = (f"{k}:{v}" for k, v in enumerate(row.tolist(), 1) if v)
        model.append(" ".join([str(coef.item()), *cells]) + " ")
    half = 1 / np.diag(arrays["projection"])
    bounds = np.stack([arrays["offset"] - half, arrays["offset"] + half], axis=1)
    ranges = [f"{k} {low} {high}" for k, (low, high) in enumerate(bounds.tolist(), 1)]
    texts = {"allmodel": model, "allrange": ["x", "-1 1", *ranges]}
    return {name: "\n".join([*lines, ""]).encode() for name, lines in texts.items()}


def zipped(members, *, compression=zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive of contents by path; a path with "/" at its end is a folder."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for path, content in members.items():
            archive.writestr(path, content)
    return file.getvalue()
