"""What the network costs: parameters, operations and memory of one utterance."""

from collections.abc import Iterator
from math import prod

import keras
import numpy as np
from keras import layers

from ._paths import PATHS
from .mfcc import MFCCTransformer
from .network import build_light_sernet

_FLOAT32_BYTES = 4
# They can write where they read: normalisation and ReLU become part of the convolution before them.
_IN_PLACE = (layers.BatchNormalization, layers.ReLU, layers.Reshape, layers.Dropout)


def measure_cost(n_classes: int, duration: float) -> dict[str, float]:
    """Measure what an utterance costs, from the graph of the network.

    Parameters
    ----------
    n_classes : int
        Number of emotions.
    duration : float
        Length of the utterance, in s.

    Returns
    -------
    cost : dict of str to float
        `"frames"` and `"parameters"`; `"mebibytes"`, the size of all weights in float16 (MiB);
        `"mflops"`, millions of operations; `"kilobytes"` and `"kilobytes_joined_first"`, the
        peak memory (KiB) if each path of Body I is pooled by itself, and if all are joined first.

    Raises
    ------
    ValueError
        If Keras' backend is not TensorFlow, whose profiler counts the operations.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "TensorFlow's profiler counts the operations, so Keras' backend must be 'tensorflow' "
            f"(KERAS_BACKEND). Got {keras.backend.backend()!r} instead."
        )
    from ._tensorflow import count_flops

    (mfcc,) = MFCCTransformer(duration=duration).fit_transform([np.ones(16000)])
    drawn, trained = (
        build_for_counting(n_classes, *mfcc.shape, pool_each_path=pool) for pool in (True, False)
    )
    return {
        "frames": len(mfcc),
        "parameters": trained.count_params(),
        "mebibytes": float16_mebibytes(trained),
        "mflops": count_flops(trained) / 1e6,
        "kilobytes": peak_memory(drawn) / 2**10,
        "kilobytes_joined_first": peak_memory(trained) / 2**10,
    }


def float16_mebibytes(network: keras.Model) -> float:
    """Compute the size of all weights in float16, in MiB.

    Parameters
    ----------
    network : keras.Model
        The network.

    Returns
    -------
    size : float
        In units of 2**20 bytes, which the paper calls MB.
    """
    return 2 * network.count_params() / 2**20


def build_for_counting(
    n_classes: int, n_frames: int, n_mfcc: int, *, pool_each_path: bool = False
) -> keras.Model:
    """Build the network for one utterance of a known length, without fused kernels.

    Parameters
    ----------
    n_classes : int
        Number of emotions.
    n_frames : int
        Number of frames.
    n_mfcc : int
        Number of coefficients a frame.
    pool_each_path : bool, default=False
        Whether each path of Body I has its own normalisation, ReLU and pooling, as the paper
        draws it, or all have one behind their concatenation, as the network here is trained.
        Both compute the same function.

    Returns
    -------
    network : keras.Model
        With initial weights.
    """
    network = build_light_sernet(n_classes, n_mfcc=n_mfcc)
    mfcc = keras.Input((n_frames, n_mfcc), batch_size=1)
    network = keras.models.clone_model(network, input_tensors=mfcc, clone_function=_plain)
    if not pool_each_path:
        return network
    paths = [network.get_layer(f"body_1_{path}").output for path in PATHS]
    for kind in ("normalization", "relu", "pooling"):
        joined = network.get_layer(f"body_1_{kind}")
        paths = [_copy(joined, name)(path) for name, path in zip(PATHS, paths, strict=True)]
    hidden = layers.Concatenate(name="body_1")(paths)
    rest = network.layers[network.layers.index(network.get_layer("body_1_pooling")) + 1 :]
    for layer in rest:
        hidden = layer(hidden)
    return keras.Model(network.input, hidden)


def _plain(layer: layers.Layer) -> layers.Layer:
    """Copy a layer; of a fused normalisation, make the one whose operations can be counted."""
    kind = (
        layers.BatchNormalization if isinstance(layer, layers.BatchNormalization) else type(layer)
    )
    return kind.from_config(layer.get_config())


def _copy(layer: layers.Layer, path: str) -> layers.Layer:
    return type(layer).from_config({**layer.get_config(), "name": f"{layer.name}_{path}"})


def peak_memory(network: keras.Model) -> int:
    """Compute the largest memory of the activations of a forward pass in float32.

    The layers run one at a time, each path of Body I to its end before the next one starts. While
    one runs, its inputs and its output are in memory, and every earlier output that a later layer
    still needs. Normalisation, ReLU, reshaping and dropout work in place. Weights do not count.

    Parameters
    ----------
    network : keras.Model
        The network, with an input whose shape is fixed.

    Returns
    -------
    n_bytes : int
        Number of bytes.
    """
    made: dict[int, int] = {}  # the step that fills a buffer, by the buffer
    needed: dict[int, int] = {}  # the last step that needs it
    n_bytes: dict[int, int] = {}
    for step, (output, inputs) in enumerate(_steps(_buffer(network.output), set())):
        made[id(output)] = step
        n_bytes[id(output)] = _FLOAT32_BYTES * prod(output.shape)
        needed.update(dict.fromkeys(map(id, [output, *inputs]), step))
    return max(
        sum(n_bytes[buffer] for buffer in made if made[buffer] <= step <= needed[buffer])
        for step in made.values()
    )


_Step = tuple[keras.KerasTensor, list[keras.KerasTensor]]


def _steps(output: keras.KerasTensor, done: set[int]) -> Iterator[_Step]:
    """Yield each output that has a buffer of its own, with those that it is computed from."""
    if id(output) in done:
        return
    done.add(id(output))
    inputs = [_buffer(tensor) for tensor in _inputs(output)]
    for tensor in inputs:
        yield from _steps(tensor, done)
    yield output, inputs


def _buffer(tensor: keras.KerasTensor) -> keras.KerasTensor:
    """Return the tensor whose memory holds this one."""
    while isinstance(tensor._keras_history.operation, _IN_PLACE):
        (tensor,) = _inputs(tensor)
    return tensor


def _inputs(tensor: keras.KerasTensor) -> list[keras.KerasTensor]:
    operation, node, _ = tensor._keras_history
    return operation._inbound_nodes[node].input_tensors
