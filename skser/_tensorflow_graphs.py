"""Training and prediction as graphs of TensorFlow, one for all networks of the same settings.

Keras traces its graphs anew for each new shape and each network. That takes longer than a short
training, and memory that TensorFlow does not give back, so that a search of a thousand fits would
run out of it. These take batches of every shape, and the variables of whichever network they
serve: memory grows with the settings that a process has trained (dropout, l2, ...), not with fits.
"""

import json
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from ._tensorflow_bodies import predict_in_training

# In what networks that share a graph may differ; the seed and the rate are those of variables.
_NOT_IN_GRAPH = {"name", "seed", "learning_rate"}


class _Graph(NamedTuple):
    function: Any  # a tf.types.experimental.ConcreteFunction
    captured: list[int]  # which variables it takes after its inputs


# None is ever dropped: TensorFlow would keep its memory, and it would have to be traced again.
_graphs: dict[str, _Graph] = {}
_lock = Lock()  # two threads that trace would trace twice


def forward(network: keras.Model) -> Callable[[Any], tf.Tensor]:
    """Return the network's prediction as a graph for utterances of all lengths and numbers.

    Parameters
    ----------
    network : keras.Model
        The network.

    Returns
    -------
    predict : callable
        From MFCCs of shape (n_samples, n_frames, n_mfcc) to probabilities.
    """
    if not hasattr(network, "_skser_forward"):  # its configuration takes longer than a prediction
        key = _make_key("forward", network.variables, network.get_config())
        call = _find_or_trace(_trace_forward, network, key, network.variables)
        network._skser_forward = lambda mfcc: call(mfcc)[0]  # freed with the network
    return network._skser_forward


def train_step(network: keras.Model) -> Callable[..., Sequence[tf.Tensor]]:
    """Return one step of training as a graph for utterances of all lengths and numbers.

    Parameters
    ----------
    network : keras.Model
        The compiled network.

    Returns
    -------
    step : callable
        From MFCCs, targets of shape (n_samples, n_classes) and weights of a batch to its loss and
        its accuracy.
    """
    network.optimizer.build(network.trainable_variables)
    variables = [*network.variables, *network.optimizer.variables]
    key = _make_key("step", variables, network.get_config(), network.get_compile_config())
    return _find_or_trace(_trace_step, network, key, variables)


def _make_key(purpose: str, variables: list[keras.Variable], *configs: dict[str, Any]) -> str:
    """Return all that a graph depends on."""
    shapes = [(tuple(variable.shape), variable.dtype) for variable in variables]
    constants = keras.config.epsilon()  # of the losses
    return json.dumps([purpose, shapes, constants, _of_graph(configs)])


def _find_or_trace(
    trace: Callable[[keras.Model], Any],
    network: keras.Model,
    key: str,
    variables: list[keras.Variable],
) -> Callable[..., Sequence[tf.Tensor]]:
    """Return a network's graph, to be called with batches of NumPy arrays."""
    handles = [variable.value.handle for variable in variables]
    with _lock:
        if key not in _graphs:
            function = trace(network)
            positions = {id(handle): position for position, handle in enumerate(handles)}
            captured = [positions[id(tensor)] for tensor in function.captured_inputs]
            _graphs[key] = _Graph(function, captured)
        function, captured = _graphs[key]
    own = [handles[position] for position in captured]
    dtypes = [output.dtype for output in function.outputs]

    def call(*batch: Any) -> Sequence[tf.Tensor]:
        inputs = [*map(tf.convert_to_tensor, batch), *own]
        return tf.raw_ops.StatefulPartitionedCall(args=inputs, Tout=dtypes, f=function)

    return call


def _of_graph(config: Any) -> Any:
    """Return what a graph depends on of a nested configuration."""
    if isinstance(config, dict):
        return {name: _of_graph(config[name]) for name in config if name not in _NOT_IN_GRAPH}
    if isinstance(config, list | tuple):
        return [_of_graph(value) for value in config]
    return config


def _trace_forward(network: keras.Model) -> Any:
    signature = [tf.TensorSpec(network.input_shape, tf.float32)]
    graph = tf.function(lambda mfcc: network(mfcc, training=False), signature)
    return graph.get_concrete_function()


def _trace_step(network: keras.Model) -> Any:
    standardize = keras.Model(network.input, network.get_layer("one_channel").input)
    signature = [
        tf.TensorSpec(network.input_shape, tf.float32),
        tf.TensorSpec((None, network.output_shape[-1]), tf.float32),
        tf.TensorSpec((None,), tf.float32),
    ]

    def step(mfcc: tf.Tensor, target: tf.Tensor, weight: tf.Tensor) -> tuple[tf.Tensor, ...]:
        with tf.GradientTape() as tape:
            predicted = predict_in_training(network, standardize(mfcc))
            loss = network.compute_loss(mfcc, target, predicted, weight)
        gradients = tape.gradient(
            loss,
            [variable.value for variable in network.trainable_variables],
            # of the biases in Body I, which normalisation takes away
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        network.optimizer.apply(gradients, network.trainable_variables)
        right = tf.argmax(predicted, axis=-1) == tf.argmax(target, axis=-1)
        return loss, tf.reduce_mean(tf.cast(right, tf.float32))

    return tf.function(step, signature, autograph=False).get_concrete_function()
