"""Predictions that make up for emotions that are rarer in training."""

import keras
import numpy as np
import pytest
from sklearn.base import clone

from skser import LightSERNetClassifier
from skser.network import LogitAdjustment
from skser.persistence import load, save

LABELS = np.repeat(["anger", "fear", "sadness"], [12, 8, 4])
SHARES = np.array([12, 8, 4]) / 24


def tiny(**params):
    defaults = {"epochs": 2, "batch_size": 8, "paths": ("spectral",), "random_state": 0}
    return LightSERNetClassifier(**{**defaults, "learning_rate_schedule": None, **params})


@pytest.fixture(scope="module")
def mfcc():
    return np.random.default_rng(0).normal(size=(24, 20, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def plain(mfcc):
    return tiny().fit(mfcc, LABELS)


@pytest.fixture(scope="module")
def adjusted(mfcc):
    return tiny(logit_adjustment=0.5).fit(mfcc, LABELS)


def expect(probabilities, shares, strength):
    divided = probabilities / shares**strength
    return divided / divided.sum(axis=1, keepdims=True)


def shares_of(classifier):
    offsets = classifier.keras_classifier_.model_.get_layer("adjustment").get_weights()[0]
    return np.exp(offsets / classifier.logit_adjustment)


def test_only_predictions_are_adjusted(mfcc, plain, adjusted):
    assert adjusted.history_["loss"] == plain.history_["loss"]
    probabilities = adjusted.predict_proba(mfcc)
    expected = expect(plain.predict_proba(mfcc), SHARES, 0.5)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4)
    assert not np.allclose(probabilities, plain.predict_proba(mfcc), rtol=0.1)


def test_the_shares_are_those_of_the_weights(mfcc):
    classifier = tiny(logit_adjustment=1, class_weight={"anger": 1, "fear": 3, "sadness": 3})
    shares = shares_of(classifier.fit(mfcc, LABELS))
    np.testing.assert_allclose(shares, np.array([12, 24, 12]) / 48, rtol=1e-6)


def test_balanced_weights_leave_nothing_to_adjust(mfcc):
    balanced = tiny(class_weight="balanced").fit(mfcc, LABELS)
    both = clone(balanced).set_params(logit_adjustment=1).fit(mfcc, LABELS)
    expected = balanced.predict_proba(mfcc)
    np.testing.assert_allclose(both.predict_proba(mfcc), expected, rtol=1e-5)


def test_label_smoothing_gives_each_emotion_a_share(mfcc):
    weight = np.where(LABELS == "fear", 0.0, 1.0)
    classifier = tiny(logit_adjustment=1, label_smoothing=0.3)
    shares = shares_of(classifier.fit(mfcc, LABELS, sample_weight=weight))
    np.testing.assert_allclose(shares, [0.7 * 0.75 + 0.1, 0.1, 0.7 * 0.25 + 0.1], rtol=1e-5)


def test_an_emotion_without_share_is_not_made_up_for(mfcc):
    weight = np.where(LABELS == "fear", 0.0, 1.0)
    classifier = tiny(logit_adjustment=1, epochs=30).fit(mfcc, LABELS, sample_weight=weight)
    np.testing.assert_allclose(shares_of(classifier), [0.75, 1, 0.25], rtol=1e-5)
    assert "fear" not in classifier.predict(mfcc)


def test_even_a_large_strength_gives_probabilities(mfcc):
    probabilities = tiny(logit_adjustment=100).fit(mfcc, LABELS).predict_proba(mfcc)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_speakers_set_aside_do_not_count(mfcc):
    groups = np.where(np.arange(24) % 4 == 3, "b", "a")
    labels = np.where(groups == "b", "sadness", LABELS)
    labels[[3, 7]] = "anger", "fear"
    classifier = tiny(logit_adjustment=1, epoch_selection="inner", validation_fraction=0.5)
    shares = shares_of(classifier.fit(mfcc, labels, groups=groups))
    of_speaker = [[np.mean(labels[groups == g] == e) for e in np.unique(labels)] for g in "ab"]
    assert any(np.allclose(shares, own) for own in of_speaker)


def test_is_saved(mfcc, adjusted, tmp_path):
    save(adjusted, tmp_path / "model.skser")
    restored = load(tmp_path / "model.skser")
    np.testing.assert_array_equal(restored.predict_proba(mfcc), adjusted.predict_proba(mfcc))


def test_a_warm_start_takes_the_shares_and_the_strength_of_the_last_fit(mfcc, adjusted):
    classifier = clone(adjusted).set_params(warm_start=True).fit(mfcc, LABELS)
    classifier.set_params(logit_adjustment=2).fit(mfcc, LABELS[::-1])
    np.testing.assert_allclose(shares_of(classifier), SHARES, rtol=1e-5)
    classifier.fit(mfcc[4:], LABELS[4:])
    np.testing.assert_allclose(shares_of(classifier), np.array([8, 8, 4]) / 20, rtol=1e-5)
    with pytest.raises(ValueError, match=r"the 'logit_adjustment' parameter .* stay as in the"):
        classifier.set_params(logit_adjustment=0).fit(mfcc, LABELS)


def test_refuses_a_negative_strength(mfcc):
    with pytest.raises(ValueError, match=r"The 'logit_adjustment' parameter .* Got -1 instead"):
        tiny(logit_adjustment=-1).fit(mfcc, LABELS)


def test_the_layer_waits_for_prediction_and_can_be_copied():
    layer = LogitAdjustment()
    probabilities = np.array([[0.5, 0.5], [0.8, 0.2]], dtype=np.float32)
    layer(probabilities)
    layer.set_weights([np.log([0.8, 0.2])])
    assert np.array_equal(layer(probabilities, training=True), probabilities)
    expected = [[0.2, 0.8], [0.5, 0.5]]
    np.testing.assert_allclose(np.asarray(layer(probabilities)), expected, rtol=1e-6)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert isinstance(copy, LogitAdjustment)
