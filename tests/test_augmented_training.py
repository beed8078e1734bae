"""What the classifier does beside the paper's training: changes, standardisation, soft targets."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skser import LightSERNetClassifier, make_light_sernet
from skser._targets import make_targets
from skser.augment import Augmentation
from skser.persistence import load, save

LABELS = np.tile(["anger", "fear", "sadness"], 8)
CODES = np.tile([0, 1, 2], 8)


def tiny(**params):
    defaults = {"epochs": 2, "batch_size": 8, "paths": ("spectral",), "random_state": 0}
    return LightSERNetClassifier(**{**defaults, "learning_rate_schedule": None, **params})


@pytest.fixture(scope="module")
def mfcc():
    X = np.random.default_rng(0).normal(size=(24, 20, 8)).astype(np.float32)
    X[np.arange(24), :, CODES] += 1
    return X


@pytest.fixture(scope="module")
def augment():
    return Augmentation(n_frames=12)


@pytest.fixture(scope="module")
def augmented(mfcc, augment):
    return tiny(augment=augment, standardize=True).fit(mfcc, LABELS)


def test_augmented_fit_repeats_exactly(mfcc, augmented):
    again = clone(augmented).fit(mfcc, LABELS)
    np.testing.assert_array_equal(again.predict_proba(mfcc), augmented.predict_proba(mfcc))
    plain = clone(augmented).set_params(augment=None).fit(mfcc, LABELS)
    assert not np.allclose(plain.predict_proba(mfcc), augmented.predict_proba(mfcc))


def test_fit_leaves_the_parameter_as_it_was(augment, augmented):
    assert augmented.augment is augment
    assert not hasattr(augment, "mean_")


def test_utterances_of_any_length_share_a_batch(mfcc, monkeypatch):
    lengths = []

    def draw(self, X, targets, *, generator):
        lengths.append([len(utterance) for utterance in X])
        return np.stack([utterance[:3] for utterance in X]), targets

    monkeypatch.setattr(Augmentation, "draw", draw)
    utterances = [utterance[: 3 + row % 16] for row, utterance in enumerate(mfcc)]
    tiny(epochs=1, augment=Augmentation(n_frames=3)).fit(utterances, LABELS)
    assert [len(batch) for batch in lengths] == [8, 8, 8]
    tiny(epochs=1, augment=Augmentation(n_frames=None)).fit(utterances, LABELS)
    assert all(max(batch) < 1.1 * min(batch) or len(batch) == 1 for batch in lengths[3:])


def test_refuses_an_augmentation_out_of_range_before_training(mfcc, monkeypatch):
    monkeypatch.setattr("skser.classifier.train", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(ValueError, match="The 'tempo' parameter of Augmentation must be"):
        tiny(augment=Augmentation(tempo=3.0)).fit(mfcc, LABELS)
    with pytest.raises(ValueError, match="The 'augment' parameter of LightSERNetClassifier"):
        tiny(augment="all").fit(mfcc, LABELS)


def test_a_grid_reaches_the_augmentation(mfcc, monkeypatch):
    drawn, draw = [], Augmentation.draw

    def spy(self, *args, **kwargs):
        drawn.append(self.mixup)
        return draw(self, *args, **kwargs)

    monkeypatch.setattr(Augmentation, "draw", spy)
    classifier = tiny(epochs=1, batch_size=12, augment=Augmentation(n_frames=8))
    GridSearchCV(classifier, {"augment__mixup": [0.0, 0.4]}, cv=2, refit=False).fit(mfcc, LABELS)
    assert drawn == [0.0, 0.0, 0.4, 0.4]


def test_what_has_no_weight_teaches_nothing_through_a_mixture(mfcc):
    weight = np.repeat([0.0, 1.0], [6, 18])
    other = np.concatenate([LABELS[1:6], LABELS[:1], LABELS[6:]])
    augment = Augmentation(n_frames=12, mixup=1.0)
    first, second = (
        tiny(augment=augment, learning_rate=1e-2).fit(mfcc, labels, sample_weight=weight)
        for labels in (LABELS, other)
    )
    np.testing.assert_allclose(first.predict_proba(mfcc), second.predict_proba(mfcc), atol=1e-6)


def test_two_models_share_no_augmentation():
    first, second = make_light_sernet(recipe="robust"), make_light_sernet(recipe="robust")
    first.set_params(classifier__augment__mixup=0.0)
    assert second.get_params()["classifier__augment__mixup"] > 0


def test_standardisation_undoes_scale_and_offset(mfcc):
    moved = mfcc * np.linspace(1, 50, 8, dtype=np.float32) - 30
    first, second = (tiny(standardize=True).fit(X, LABELS) for X in (mfcc, moved))
    np.testing.assert_allclose(first.predict_proba(mfcc), second.predict_proba(moved), atol=1e-2)
    network = second.keras_classifier_.model_
    mean, scale = network.get_layer("standardization").get_weights()
    np.testing.assert_allclose(mean, moved.mean(axis=(0, 1)), rtol=1e-4)
    np.testing.assert_allclose(scale, moved.std(axis=(0, 1)), rtol=1e-4)


def test_weight_decay_shrinks_what_no_gradient_moves(mfcc):
    params = {"weight_decay": 0.5, "learning_rate": 0.1, "l2": 0.0, "epochs": 1, "batch_size": 24}
    decayed, plain = (
        tiny(**{**params, **other}).fit(mfcc, LABELS, sample_weight=np.full(24, 1e-30))
        for other in ({}, {"weight_decay": 0.0})
    )
    weights = (c.keras_classifier_.model_.get_layer("emotion").kernel for c in (decayed, plain))
    np.testing.assert_allclose(next(weights), 0.95 * np.asarray(next(weights)), rtol=1e-5)


def test_momentum_is_that_of_all_normalisations(mfcc):
    network = tiny(batch_norm_momentum=0.7, epochs=1).fit(mfcc, LABELS).keras_classifier_.model_
    momenta = [layer.momentum for layer in network.layers if hasattr(layer, "momentum")]
    assert momenta == [0.7] * 6


def test_targets_by_hand():
    targets = make_targets(np.array([1, 0]), 4, smoothing=0.2)
    np.testing.assert_allclose(targets, [[0.05, 0.85, 0.05, 0.05], [0.85, 0.05, 0.05, 0.05]])
    np.testing.assert_array_equal(make_targets(np.array([1]), 2, smoothing=0.0), [[0, 1]])


def test_label_smoothing_makes_predictions_less_certain(mfcc):
    params = {"epochs": 30, "learning_rate": 3e-3, "batch_norm_momentum": 0.5}
    sharp, smooth = (
        tiny(label_smoothing=share, **params).fit(mfcc, LABELS).predict_proba(mfcc).max(axis=1)
        for share in (0.0, 0.5)
    )
    assert smooth.mean() < sharp.mean()


def test_survives_saving_and_pickling(tmp_path, mfcc, augmented):
    save(augmented, tmp_path / "model.skser")
    restored = load(tmp_path / "model.skser")
    assert restored.augment.get_params() == augmented.augment.get_params()
    for other in (restored, pickle.loads(pickle.dumps(augmented))):
        np.testing.assert_array_equal(other.predict_proba(mfcc), augmented.predict_proba(mfcc))
