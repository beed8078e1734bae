"""What the Bodies compute in fewer operations is what their layers compute."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from skser._tensorflow_bodies import convolve, predict_in_training, rectify, train_body_1
from skser.network import PATHS, build_light_sernet


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_rectified_values_and_their_gradient_are_those_of_relu(dtype):
    ends = tf.constant([0.0, -0.0, 2e-38, -2e-38, 3e38, -3e38, np.inf, -np.inf])
    values = tf.cast(tf.concat([ends, tf.random.stateless_normal([1000], (0, 1))], 0), dtype)
    above = tf.cast(tf.random.stateless_normal(values.shape, (0, 2)), dtype)
    results = []
    for function in (rectify, tf.nn.relu):
        with tf.GradientTape() as tape:
            tape.watch(values)
            positive = function(values)
        gradient = tape.gradient(positive, values, output_gradients=above)
        results.append([np.asarray(result, np.float32) for result in (positive, gradient)])
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("height", range(1, 10))
def test_convolution_is_that_of_tensorflow_to_the_digits_of_float64(height):
    generator = np.random.default_rng(height)
    images, kernel, target = (
        tf.constant(generator.normal(size=size))
        for size in ((height, 2, 5, 3), (3, 3, 3, 4), (height, 2, 5, 4))
    )

    def _direct(images, kernel):
        convolved = tf.nn.conv2d(tf.transpose(images, (1, 0, 2, 3)), kernel, 1, "SAME")
        return tf.transpose(convolved, (1, 0, 2, 3))

    results = []
    for function in (convolve, _direct):
        with tf.GradientTape() as tape:
            tape.watch((images, kernel))
            convolved = function(images, kernel)
        results.append((convolved, *tape.gradient(convolved, (images, kernel), target)))
    for ours, expected in zip(*results, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-12)


def _pair(monkeypatch, *, n_mfcc, paths):
    """Return our network and that of Keras' own layers, with the same variables."""
    ours = build_light_sernet(3, n_mfcc=n_mfcc, paths=paths, dropout=0.0)
    monkeypatch.setattr("skser.network._BatchNormalization", keras.layers.BatchNormalization)
    plain = build_light_sernet(3, n_mfcc=n_mfcc, paths=paths, dropout=0.0)
    generator = np.random.default_rng(0)
    for mine, theirs in zip(ours.weights, plain.weights, strict=True):
        value = generator.uniform(0.5, 1.5, size=mine.shape) - mine.path.endswith("kernel")
        mine.assign(value)
        theirs.assign(value)
    return ours, plain


def _variables(network, part):
    return [v for layer in network.layers for v in layer.variables if part in v.path]


def _gradients(outputs, target, tape, network, part):
    """Return those of a part but of its biases in Body I, which have none but rounding."""
    variables = [v for v in _variables(network, part) if v.trainable and "l/bias" not in v.path]
    loss = tf.reduce_sum(outputs * target)
    return tape.gradient(loss, [v.value for v in variables])


def test_body_1_in_bfloat16_is_that_with_relu(monkeypatch):
    generator = np.random.default_rng(0)
    mfcc = tf.constant(generator.normal(size=(3, 9, 6)), tf.float32)
    results = []
    for _ in range(2):
        network = build_light_sernet(3, n_mfcc=6, precision="bfloat16", seed=0)
        kernels = [v.value for v in _variables(network, "body_1") if v.path.endswith("kernel")]

        @tf.function
        def step(network=network, kernels=kernels):
            with tf.GradientTape() as tape:
                pooled = train_body_1(network, mfcc)
                return [pooled, *tape.gradient(tf.reduce_sum(pooled**2), kernels)]

        results.append([np.asarray(result, np.float32) for result in step()])
        monkeypatch.setattr("skser._tensorflow_bodies.rectify", tf.nn.relu)
    assert np.ptp(results[0][0]) > 1
    for ours, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("n_mfcc", [6, 7])
def test_a_kernel_that_is_not_a_number_reaches_the_loss(n_mfcc, monkeypatch):
    network = build_light_sernet(3, n_mfcc=n_mfcc, seed=0)
    for variable in _variables(network, "body_1"):
        if variable.path.endswith("kernel"):
            variable.assign(np.full(variable.shape, np.nan))
    mfcc = np.random.default_rng(0).normal(size=(3, 8, n_mfcc)).astype(np.float32)
    # where the processor gives what is not a number a sign
    monkeypatch.setattr("skser._tensorflow_bodies.rectify", tf.zeros_like)
    assert np.isnan(train_body_1(network, mfcc)).all()


SHAPES = [(3, 8, 6), (3, 9, 6), (3, 8, 7), (2, 31, 7), (2, 1, 1)]


@pytest.mark.parametrize("paths", [tuple(PATHS), ("spectral", "temporal"), ("spectro-temporal",)])
@pytest.mark.parametrize("shape", SHAPES)
def test_body_1_in_training_is_that_of_the_drawn_network(paths, shape, monkeypatch):
    ours, plain = _pair(monkeypatch, n_mfcc=shape[-1], paths=paths)
    generator = np.random.default_rng(0)
    mfcc = tf.constant(generator.normal(1, 2, size=shape), tf.float32)
    drawn = keras.Model(plain.input, plain.get_layer("body_1_pooling").output)
    with tf.GradientTape(persistent=True) as tape:
        expected = drawn(mfcc, training=True)
        pooled = tf.transpose(train_body_1(ours, mfcc), (1, 0, 2, 3))
        target = tf.constant(generator.normal(size=expected.shape), tf.float32)
        both = (
            _gradients(expected, target, tape, plain, "body_1"),
            _gradients(pooled, target, tape, ours, "body_1"),
        )
    np.testing.assert_allclose(pooled, expected, atol=1e-5)
    for theirs, mine in zip(*both, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4 * max(1, np.abs(theirs).max()))
    for mine, theirs in zip(
        *(_variables(network, "body_1") for network in (ours, plain)), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 40, 16), (3, 45, 15), (5, 31, 40)])
def test_the_network_in_training_is_the_drawn_one(shape, monkeypatch):
    ours, plain = _pair(monkeypatch, n_mfcc=shape[-1], paths=tuple(PATHS))
    generator = np.random.default_rng(0)
    mfcc = tf.constant(generator.normal(1, 2, size=shape), tf.float32)
    target = tf.constant(generator.normal(size=(shape[0], 3)), tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        expected, predicted = plain(mfcc, training=True), predict_in_training(ours, mfcc)
        both = (
            _gradients(expected, target, tape, plain, ""),
            _gradients(predicted, target, tape, ours, ""),
        )
    np.testing.assert_allclose(predicted, expected, atol=1e-4)
    for theirs, mine in zip(*both, strict=True):
        # a ReLU whose input is zero but for rounding may pass in one of them
        assert np.linalg.norm(mine - theirs) < 0.02 * np.linalg.norm(theirs)
    for mine, theirs in zip(ours.weights, plain.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)
