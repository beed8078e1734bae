"""The focal loss against values computed by hand, and against cross-entropy."""

import keras
import numpy as np
import pytest

from skser.losses import FocalLoss, make_loss

TARGETS = np.eye(3, dtype=np.float32)
PROBABILITIES = np.array([[0.9, 0.05, 0.05], [0.25, 0.5, 0.25], [0.6, 0.3, 0.1]], np.float32)


@pytest.mark.parametrize(
    ("gamma", "expected"),
    [
        (0.0, [0.1053605, 0.6931472, 2.3025851]),  # -log(0.9), -log(0.5), -log(0.1)
        (1.0, [0.0105361, 0.3465736, 2.0723266]),  # times 0.1, 0.5, 0.9
        (2.0, [0.0010536, 0.1732868, 1.8650939]),  # times 0.01, 0.25, 0.81
        (0.5, [0.0333179, 0.4901291, 2.1844180]),  # times their square roots
    ],
)
def test_focal_loss_by_hand(gamma, expected):
    loss = FocalLoss(gamma)
    each = np.asarray(loss.call(TARGETS, keras.ops.convert_to_tensor(PROBABILITIES)))
    np.testing.assert_allclose(each, expected, rtol=1e-5, atol=1e-7)
    assert float(loss(TARGETS, PROBABILITIES)) == pytest.approx(np.mean(expected), rel=1e-5)


def test_shares_of_classes_by_hand():
    shares = np.array([[0.5, 0.5, 0.0]], np.float32)
    # (1 - 0.25)^2 log(0.25) and (1 - 0.5)^2 log(0.5), half of each
    expected = 0.5 * (0.5625 * 1.3862944 + 0.25 * 0.6931472)
    assert float(FocalLoss()(shares, PROBABILITIES[1:2])) == pytest.approx(expected, rel=1e-5)


def test_gamma_zero_is_cross_entropy():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(7), size=100).astype(np.float32)
    probabilities[:2] = np.eye(7)[:2]
    labels = generator.integers(0, 7, size=100)
    labels[:2] = 0  # one is certain and right, one is certain and wrong
    targets = np.eye(7, dtype=np.float32)[labels]
    expected = keras.losses.CategoricalCrossentropy(reduction=None)(targets, probabilities)
    each = FocalLoss(gamma=0.0).call(targets, keras.ops.convert_to_tensor(probabilities))
    np.testing.assert_allclose(each, expected, rtol=1e-4, atol=1e-6)


def test_sample_weights():
    weights = np.array([2.0, 0.0, 1.0], np.float32)
    expected = (2 * 0.0010536 + 0 + 1.8650939) / 3
    loss = FocalLoss()(TARGETS, PROBABILITIES, sample_weight=weights)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("p", [0.0, 1e-8, 0.5, 1 - 1e-7, 1.0])
def test_loss_and_gradient_are_finite(gamma, p):
    import tensorflow as tf

    probabilities = tf.Variable([[p, 1 - p]])
    with tf.GradientTape() as tape:
        loss = FocalLoss(gamma)(np.array([[1.0, 0.0]]), probabilities)
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, probabilities)).all()


def test_gradient_by_hand():
    import tensorflow as tf

    probabilities = tf.Variable([[0.5, 0.5]])
    with tf.GradientTape() as tape:
        loss = FocalLoss(gamma=2.0)(np.array([[1.0, 0.0]]), probabilities)
    # d/dp of -(1 - p)^2 log(p) is 2 (1 - p) log(p) - (1 - p)^2 / p
    expected = [[2 * 0.5 * np.log(0.5) - 0.25 / 0.5, 0]]
    np.testing.assert_allclose(tape.gradient(loss, probabilities), expected, rtol=1e-5)


def test_it_survives_serialisation():
    loss = FocalLoss(gamma=1.5, name="mine")
    restored = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(restored) is FocalLoss
    assert restored.get_config() == loss.get_config() == {"gamma": 1.5, "name": "mine"}
    assert float(restored(TARGETS, PROBABILITIES)) == float(loss(TARGETS, PROBABILITIES))


def test_losses_by_name():
    assert type(make_loss("cross_entropy", 3.0)) is keras.losses.CategoricalCrossentropy
    focal = make_loss("focal", 3.0)
    assert type(focal) is FocalLoss
    assert focal.gamma == 3.0
