"""Adaptation to the utterances that are predicted: moments, vocal tracts, nearness to classes."""

import pickle
from unittest.mock import patch

import keras
import numpy as np
import pytest

from skser import LightSERNetClassifier
from skser._adapted_network import (
    _copy,
    _find_normalizations,
    _learn_moments,
    _weigh_by_nearness,
    predict_speaker,
)
from skser._vocal_tract import vocal_tract_warps
from skser.augment import Augmentation
from skser.network import build_light_sernet
from skser.training import predict

LABELS = np.array(["a", "b"] * 3 + ["a"])


@pytest.fixture(scope="module")
def mfcc():
    return np.random.default_rng(0).normal(2, 3, size=(7, 20, 12)).astype(np.float32)


@pytest.fixture(scope="module")
def network():
    return build_light_sernet(3, n_mfcc=12, batch_norm_momentum=0.0, seed=0)


def adapt_network(network, mfcc, *, batch_size):
    adapted = _copy(network)
    _learn_moments(_find_normalizations(adapted), mfcc, batch_size)
    return adapted


def weights_equal(first, second):
    return all(map(np.array_equal, first, second))


@pytest.mark.parametrize("batch_size", [2, 7])
def test_moments_are_those_of_one_batch_in_training(network, mfcc, batch_size):
    adapted = adapt_network(network, mfcc, batch_size=batch_size)
    trained = build_light_sernet(3, n_mfcc=12, batch_norm_momentum=0.0, seed=0)
    trained(mfcc, training=True)  # without momentum the averages are those of this batch
    for found, expected in zip(adapted.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_leaves_the_network_as_it_is(network, mfcc):
    before = network.get_weights()
    adapted = adapt_network(network, mfcc, batch_size=4)
    assert weights_equal(before, network.get_weights())
    assert not weights_equal(before, adapted.get_weights())


def test_batches_of_any_size_and_length_give_the_same(network, mfcc):
    utterances = [utterance[: 8 + 4 * (row % 3)] for row, utterance in enumerate(mfcc)]
    utterances = [utterances[row] for row in (6, 0, 3, 1)]
    one, all_ = (adapt_network(network, utterances, batch_size=size) for size in (1, 7))
    for found, expected in zip(one.get_weights(), all_.get_weights(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_a_list_of_utterances_gives_what_an_array_does(network, mfcc):
    rows = [4, 1, 6]
    listed = predict_speaker(network, [mfcc[row] for row in rows], batch_size=2)
    np.testing.assert_allclose(
        listed, predict_speaker(network, mfcc[rows], batch_size=3), atol=1e-4
    )


def by_hand(network, mfcc):
    """Adapt the moments, and weigh by the cosines to the means of the classes, row by row."""
    adapted = adapt_network(network, mfcc, batch_size=32)
    probabilities = predict(adapted, mfcc, batch_size=32)
    features = keras.Model(adapted.input, adapted.get_layer("emotion").input)(mfcc)
    features = keras.ops.convert_to_numpy(features)
    directions = [row / np.linalg.norm(row) for row in features - features.mean(axis=0)]
    weighted = np.empty_like(probabilities)
    for label in range(probabilities.shape[1]):
        mean = np.average(directions, axis=0, weights=probabilities[:, label])
        cosines = directions @ mean / np.linalg.norm(mean)
        weighted[:, label] = probabilities[:, label] * np.exp(10 * cosines)
    return weighted / weighted.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.filterwarnings("ignore::skser.exceptions.SlowPrecisionWarning")  # on old processors
def test_classifier_adapts_for_the_prediction_alone(mfcc, precision):
    params = {"epochs": 2, "learning_rate": 1e-3, "random_state": 0, "precision": precision}
    classifier = LightSERNetClassifier(**params, standardize=True).fit(mfcc, LABELS)
    network, plain = classifier.keras_classifier_.model_, classifier.predict_proba(mfcc)
    classifier.set_params(speaker_adaptation=True)
    adapted = classifier.predict_proba(mfcc)
    assert adapted.dtype == np.float32
    assert not np.allclose(adapted, plain, atol=1e-3)
    np.testing.assert_allclose(adapted, by_hand(network, mfcc), atol=1e-3)
    classifier.set_params(speaker_adaptation=False)
    np.testing.assert_array_equal(classifier.predict_proba(mfcc), plain)


def test_a_single_utterance_is_predicted_as_it_is(network, mfcc):
    expected = predict(network, mfcc[:1], batch_size=1)
    np.testing.assert_array_equal(predict_speaker(network, mfcc[:1], batch_size=1), expected)


@pytest.mark.parametrize("least", [1e-25, 1e-40, 0.0])
def test_a_class_that_hardly_anything_belongs_to_stays_finite(least):
    features = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    probabilities = np.tile(np.array([0.7, 0.3, least], dtype=np.float32), (4, 1))
    weighted = _weigh_by_nearness(features, probabilities)
    np.testing.assert_allclose(weighted.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(weighted[:, 2], 0, atol=1e-15)


def test_order_and_pickling_change_nothing(mfcc):
    classifier = LightSERNetClassifier(epochs=1, random_state=0, speaker_adaptation=True)
    expected = classifier.fit(mfcc, LABELS).predict_proba(mfcc)
    np.testing.assert_allclose(classifier.predict_proba(mfcc[::-1])[::-1], expected, atol=1e-4)
    copy = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(copy.predict_proba(mfcc), expected)


def test_adapts_to_another_scale_of_the_input(mfcc):
    classifier = LightSERNetClassifier(epochs=2, random_state=0, speaker_adaptation=True)
    classifier.fit(mfcc, LABELS)

    def share_that_loudness_changes():
        before, louder = classifier.predict_proba(mfcc), classifier.predict_proba(3 * mfcc)
        return np.abs(louder - before).max() / np.ptp(before[:, 0])

    assert share_that_loudness_changes() < 0.1
    classifier.set_params(speaker_adaptation=False)
    assert share_that_loudness_changes() > 0.3


@pytest.fixture
def by_the_moments_alone(monkeypatch):
    monkeypatch.setattr("skser._adapted_network._SHARPNESS", 0.0)


def entropy(probabilities):
    return -np.mean(np.sum(probabilities * np.log(probabilities), axis=1))


@pytest.mark.usefixtures("by_the_moments_alone")
@pytest.mark.parametrize("as_list", [False, True])
def test_the_vocal_tract_is_the_one_of_the_surest_predictions(network, mfcc, as_list):
    warps = vocal_tract_warps(0.3, 12, 40.0, 7600.0)[::16]
    given = list(mfcc) if as_list else mfcc
    found = predict_speaker(network, given, batch_size=4, warps=warps)
    alone = [predict_speaker(network, mfcc @ warp, batch_size=4) for warp in warps]
    entropies = [entropy(probabilities) for probabilities in alone]
    assert np.ptp(entropies) > 1e-4
    surest = alone[int(np.argmin(entropies))]
    np.testing.assert_allclose(found, surest, atol=1e-4)


@pytest.mark.usefixtures("by_the_moments_alone")
def test_of_equally_sure_vocal_tracts_the_first_is_taken(network, mfcc, monkeypatch):
    monkeypatch.setattr("skser._adapted_network._entropy", lambda _: 0.0)
    warps = vocal_tract_warps(0.3, 12, 40.0, 7600.0)[[16, 0]]
    found = predict_speaker(network, mfcc, batch_size=4, warps=warps)
    own, other = (predict_speaker(network, mfcc @ warp, batch_size=4) for warp in warps)
    np.testing.assert_allclose(found, own, atol=1e-4)
    assert not np.allclose(found, other, atol=1e-3)


@pytest.mark.usefixtures("by_the_moments_alone")
def test_vocal_tracts_of_utterances_of_any_length(network, mfcc):
    utterances = [utterance[: 8 + 4 * (row % 3)] for row, utterance in enumerate(mfcc)]
    warps = vocal_tract_warps(0.3, 12, 40.0, 7600.0)[::32]
    found = predict_speaker(network, utterances, batch_size=2, warps=warps)
    alone = [
        predict_speaker(network, [mfcc @ warp for mfcc in utterances], batch_size=2)
        for warp in warps
    ]
    np.testing.assert_allclose(found, min(alone, key=entropy), atol=1e-4)


@pytest.fixture
def spy():
    with patch("skser._adapted_network.predict_speaker", wraps=predict_speaker) as spy:
        yield spy


def test_classifier_tries_five_vocal_tracts_of_its_augmentation(mfcc, spy):
    augment = Augmentation(vocal_tract=0.3, fmin=60.0, fmax=7000.0)
    classifier = LightSERNetClassifier(epochs=1, random_state=0, augment=augment)
    classifier.fit(mfcc, LABELS).set_params(speaker_adaptation=True).predict(mfcc)
    expected = vocal_tract_warps(0.3, 12, 60.0, 7000.0)[[16, 8, 24, 0, 32]]
    spy.assert_called_once()
    np.testing.assert_array_equal(spy.call_args.kwargs["warps"], expected)


@pytest.mark.parametrize("augment", [None, Augmentation(vocal_tract=0.0)])
def test_without_a_range_the_vocal_tract_is_the_speakers_own(mfcc, spy, augment):
    params = {"speaker_adaptation": True, "augment": augment}
    LightSERNetClassifier(epochs=1, **params).fit(mfcc, LABELS).predict(mfcc)
    spy.assert_called_once()
    assert spy.call_args.kwargs["warps"] is None


def test_refuses_an_augmentation_that_was_set_wrong_after_fit(mfcc):
    params = {"speaker_adaptation": True, "augment": Augmentation()}
    classifier = LightSERNetClassifier(epochs=1, **params).fit(mfcc, LABELS)
    classifier.set_params(augment__vocal_tract=5.0)
    with pytest.raises(ValueError, match="'vocal_tract' parameter of Augmentation must be"):
        classifier.predict(mfcc)
    with pytest.raises(ValueError, match="'augment' parameter of LightSERNetClassifier must be"):
        classifier.set_params(augment=0.3).predict(mfcc)
