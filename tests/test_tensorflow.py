"""What is computed in fewer steps is what Keras' own layers compute."""

import keras
import numpy as np
import pytest

from skser._tensorflow import FusedBatchNormalization


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
