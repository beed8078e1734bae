"""What is computed in fewer steps is what Keras' own layers compute."""

from contextlib import contextmanager

import keras
import numpy as np
import pytest

from benchmarks._plain import compile_model, plain_light_sernet
from skser import MFCCTransformer
from skser._tensorflow import FusedBatchNormalization
from skser._tensorflow_graphs import train_step
from skser.datasets import make_emotional_speech
from skser.network import build_light_sernet


@pytest.fixture
def layers():
    """Return the fused layer and Keras' own with the same variables."""
    generator = np.random.default_rng(0)
    values = [generator.uniform(0.5, 2, size=5) for _ in range(4)]
    pair = FusedBatchNormalization(momentum=0.5), keras.layers.BatchNormalization(momentum=0.5)
    for layer in pair:
        layer.build((None, None, None, 5))
        layer.set_weights(values)
    return pair


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(1, 1, 1, 5), (2, 1, 1, 5), (2, 3, 4, 5)])
def test_equals_keras(layers, shape, training):
    inputs = np.random.default_rng(1).normal(2, 3, size=shape).astype(np.float32)
    fused, plain = (np.asarray(layer(inputs, training=training)) for layer in layers)
    np.testing.assert_allclose(fused, plain, atol=1e-5)
    for ours, theirs in zip(*(layer.get_weights() for layer in layers), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_keeps_float32_statistics_of_bfloat16_images(layers, training):
    inputs = np.random.default_rng(1).normal(2, 3, size=(2, 3, 4, 5)).astype(np.float32)
    inputs = np.asarray(keras.ops.cast(keras.ops.cast(inputs, "bfloat16"), "float32"))
    fused = FusedBatchNormalization(momentum=0.5, dtype="mixed_bfloat16")
    fused.build((None, None, None, 5))
    fused.set_weights(layers[1].get_weights())
    outputs, expected = (layer(inputs, training=training) for layer in (fused, layers[1]))
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    np.testing.assert_allclose(keras.ops.cast(outputs, "float32"), expected, rtol=1e-2, atol=1e-2)
    for ours, theirs in zip(fused.weights, layers[1].weights, strict=True):
        assert ours.dtype == "float32"
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_frozen_layer_learns_nothing(layers):
    inputs = np.random.default_rng(1).normal(size=(2, 3, 4, 5)).astype(np.float32)
    for layer in layers:
        layer.trainable = False
    fused, plain = (np.asarray(layer(inputs, training=True)) for layer in layers)
    np.testing.assert_allclose(fused, plain, atol=1e-5)


@pytest.mark.parametrize("options", [{"axis": 1}, {"scale": False}, {"center": False}])
def test_refuses_what_the_kernel_lacks(options):
    with pytest.raises(ValueError, match="normalises the last axis, with scale and centre"):
        FusedBatchNormalization(**options).build((None, 3, 4, 5))


@pytest.fixture(scope="module")
def batches():
    """Return 20 batches of 8 utterances of a second, of four emotions."""
    corpus = make_emotional_speech(
        2, n_utterances=2, emotions=["anger", "fear", "neutral", "sadness"]
    )
    X = MFCCTransformer(duration=1).fit_transform(corpus.data)
    y = np.eye(4, dtype=np.float32)[np.unique(corpus.target, return_inverse=True)[1]]
    generator = np.random.default_rng(0)
    rows = [generator.permutation(len(X))[:8] for _ in range(20)]
    return [(X[of_batch], y[of_batch]) for of_batch in rows]


@pytest.fixture
def networks():
    """Return our network and the plain graph, with the same weights and without dropout."""
    return _make_networks(seed=0)


def _make_networks(seed):
    ours = build_light_sernet(4, dropout=0.0, seed=seed)
    plain = plain_light_sernet(4, 59, dropout=0.0)
    compile_model(ours)
    _copy_weights(ours, plain)
    return ours, plain


def _with_weights(network, kind):
    return [layer for layer in network.layers if isinstance(layer, kind)]


def _copy_weights(ours, plain):
    """Give the plain graph our weights; each of its paths has a third of our normalisation."""
    for kind in (keras.layers.Conv2D, keras.layers.Dense):
        for mine, theirs in zip(*(_with_weights(n, kind) for n in (ours, plain)), strict=True):
            theirs.set_weights(mine.get_weights())
    first, *rest = (n.get_weights() for n in _with_weights(ours, keras.layers.BatchNormalization))
    thirds = [list(values) for values in zip(*(np.split(value, 3) for value in first), strict=True)]
    normalizations = _with_weights(plain, keras.layers.BatchNormalization)
    for theirs, values in zip(normalizations, [*thirds, *rest], strict=True):
        theirs.set_weights(values)


def _step(network, X, y):
    return float(train_step(network)(X, y, np.ones(len(X), np.float32))[0])


def _plain_step(network, X, y):
    network.reset_metrics()
    return float(network.train_on_batch(X, y)[0])


def test_the_first_steps_have_the_losses_of_the_plain_graph(networks, batches):
    ours, plain = networks
    losses = [(_step(ours, X, y), _plain_step(plain, X, y)) for X, y in batches[:5]]
    np.testing.assert_allclose(*np.transpose(losses), atol=1e-4)


@contextmanager
def _in_float64():
    """Let Keras build and compute in float64, which has no fused kernels."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy("float64")
    keras.config.set_floatx("float64")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_floatx(floatx)


@pytest.mark.parametrize("seed", [0, 1])
def test_20_steps_are_as_near_to_exact_ones_as_the_plain_graph(batches, seed):
    """Rounding grows from step to step; how much depends on the weights, not on the graph."""
    ours, plain = _make_networks(seed)
    with _in_float64():
        network = plain_light_sernet(4, 59, dropout=0.0)
        network.set_weights(plain.get_weights())
        exact = np.array([_plain_step(network, X, y) for X, y in batches])
    losses = [(_step(ours, X, y), _plain_step(plain, X, y)) for X, y in batches]
    error, error_of_plain = (abs(of_one - exact).max() for of_one in np.transpose(losses))
    assert error < max(1e-4, 2 * error_of_plain)
    assert error_of_plain < 1e-3


def test_every_one_of_20_steps_has_the_loss_of_the_plain_graph_from_our_weights(networks, batches):
    """Each starts anew from equal weights, since rounding grows from step to step in any graph."""
    ours, plain = networks
    losses = []
    for X, y in batches:
        _copy_weights(ours, plain)
        losses.append((_step(ours, X, y), _plain_step(plain, X, y)))
    np.testing.assert_allclose(*np.transpose(losses), atol=1e-5)
    assert losses[-1][0] < losses[0][0]
