"""Files in the layout in which older Keras published weights."""

from collections.abc import Mapping
from io import BytesIO

import numpy as np


def keras_h5(layers: Mapping[str, Mapping[str, np.ndarray]]) -> bytes:
    """A weights-only HDF5 file of layers' arrays, as LAYER/LAYER/WEIGHT:0."""
    import h5py

    content = BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.1.5"
        for layer, arrays in layers.items():
            names = [f"{layer}/{weight}:0" for weight in arrays]
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, arrays.values(), strict=True):
                group.create_dataset(name, data=array)
    return content.getvalue()


def layer_arrays(network) -> dict[str, dict[str, np.ndarray]]:
    """A network's arrays by layer and weight, as older Keras called them."""
    import keras

    layers = {}
    for layer in network.layers:
        arrays = {w.name: w.numpy() for w in layer.weights if "seed" not in w.path}
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            arrays = {"depthwise_kernel": arrays["kernel"]}
        layers[layer.name] = arrays
    return layers
