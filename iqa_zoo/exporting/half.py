"""LiteRT files whose weights have 16 bits."""

import numpy as np

# Numbers of smaller arrays, and biases, stay as they are: they save next to nothing.
_LEAST = 4096


def halved(content: bytes) -> bytes:
    """A float32 LiteRT file with its large constants in 16 bits, computing in 32.

    The converter's own way rounds biases too, which moves scores further than rounded
    weights do.
    """
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    code.version = 3  # the first that takes 16 bits
    model.operatorCodes.append(code)
    for graph in model.subgraphs:
        widening = []
        for index, tensor in enumerate(list(graph.tensors)):
            data = model.buffers[tensor.buffer].data
            if (
                tensor.type != schema.TensorType.FLOAT32
                or len(tensor.shape) < 2
                or data is None
                or len(data) < 4 * _LEAST
            ):
                continue
            numbers = np.frombuffer(bytes(data), np.float32).astype(np.float16)
            small = schema.TensorT()
            small.name, small.shape = tensor.name, tensor.shape
            small.hasRank, small.type = tensor.hasRank, schema.TensorType.FLOAT16
            small.buffer = _added(model, numbers.view(np.uint8))
            # The old tensor is what the new operator gives.
            tensor.buffer = _added(model, None)
            graph.tensors.append(small)
            operator = schema.OperatorT()
            operator.opcodeIndex = len(model.operatorCodes) - 1
            operator.inputs = np.array([len(graph.tensors) - 1], np.int32)
            operator.outputs = np.array([index], np.int32)
            widening.append(operator)
        graph.operators = [*widening, *graph.operators]
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    used |= {entry.buffer for entry in model.metadata or []}
    for number, buffer in enumerate(model.buffers):
        if number not in used:
            buffer.data = None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _added(model: object, data: np.ndarray | None) -> int:
    """The number of a new buffer."""
    from tensorflow.lite.python import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = data
    model.buffers.append(buffer)
    return len(model.buffers) - 1
