"""What is computed in fewer steps is what Keras' own layers compute."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from skser._tensorflow import FusedBatchNormalization, _train_body_1
from skser.network import PATHS, build_light_sernet


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


def _body_1_variables(network):
    return [v for layer in network.layers for v in layer.variables if "body_1" in v.path]


def _gradients(pooled, target, tape, network):
    """Return those of Body I but of its biases, which have none that is not rounding."""
    variables = [v for v in _body_1_variables(network) if v.trainable and "bias" not in v.path]
    loss = tf.reduce_sum(pooled * target)
    return tape.gradient(loss, [v.value for v in variables])


@pytest.mark.parametrize("paths", [tuple(PATHS), ("spectral", "temporal"), ("spectro-temporal",)])
@pytest.mark.parametrize("shape", [(3, 8, 6), (3, 9, 6), (3, 8, 7), (2, 31, 7), (2, 1, 1)])
def test_body_1_in_training_is_that_of_the_drawn_network(paths, shape, monkeypatch):
    ours = build_light_sernet(3, n_mfcc=shape[-1], paths=paths)
    monkeypatch.setattr("skser.network._BatchNormalization", keras.layers.BatchNormalization)
    plain = build_light_sernet(3, n_mfcc=shape[-1], paths=paths)
    generator = np.random.default_rng(0)
    for mine, theirs in zip(ours.weights, plain.weights, strict=True):
        value = generator.uniform(0.5, 1.5, size=mine.shape) - mine.path.endswith("kernel")
        mine.assign(value)
        theirs.assign(value)
    mfcc = tf.constant(generator.normal(1, 2, size=shape), tf.float32)
    drawn = keras.Model(plain.input, plain.get_layer("body_1_pooling").output)
    with tf.GradientTape(persistent=True) as tape:
        expected, pooled = drawn(mfcc, training=True), _train_body_1(ours, mfcc)
        target = tf.constant(generator.normal(size=expected.shape), tf.float32)
        both = (_gradients(expected, target, tape, plain), _gradients(pooled, target, tape, ours))
    np.testing.assert_allclose(pooled, expected, atol=1e-5)
    for theirs, mine in zip(*both, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4 * max(1, np.abs(theirs).max()))
    for mine, theirs in zip(*map(_body_1_variables, (ours, plain)), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)
