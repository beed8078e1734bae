"""LightSERNetClassifier sets speakers aside and keeps the epoch that does best on them."""

from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from skser import LightSERNetClassifier
from skser._adapted_network import predict_speaker
from skser.augment import Augmentation
from skser.callbacks import listen_to_epochs
from skser.epochs import hold_out_speakers
from skser.metrics import score_predictions
from skser.persistence import load, save
from skser.protocols import SpeakerGroups

LABELS = ["anger", "fear", "sadness"]
SPEAKERS = np.repeat(list("abcdefgh"), 3)
Y = np.tile(LABELS, 8)
CODES = np.tile([0, 1, 2], 8)


def tiny(**params):
    """Make a classifier that sets speakers aside and whose fit takes a moment."""
    defaults = {"epochs": 3, "batch_size": 16, "paths": ("spectral",), "random_state": 0}
    inner = {"epoch_selection": "inner", "learning_rate": 1e-3, "learning_rate_schedule": None}
    return LightSERNetClassifier(**{**defaults, **inner, **params})


@pytest.fixture(scope="module")
def mfcc():
    X = np.random.default_rng(0).normal(size=(24, 10, 8)).astype(np.float32)
    X[np.arange(24), :, CODES] += 1
    return X


@pytest.fixture(scope="module")
def fitted(mfcc):
    return tiny().fit(mfcc, Y, groups=SPEAKERS)


@pytest.fixture
def scores(monkeypatch):
    """Let every fit be judged by these scores, one an epoch."""
    scores = [0.2, 0.9, 0.3, 0.1, 0.1]

    def judge_by_uar(predict, labels):
        coming = iter(scores)
        return lambda network: next(coming)

    monkeypatch.setattr("skser.epochs.judge_by_uar", judge_by_uar)
    return scores


def rows_of(classifier, speakers=SPEAKERS):
    """Return the rows that a fit trained on, and those that it set aside."""
    fraction, seed = classifier.validation_fraction, classifier._speaker_seed
    return hold_out_speakers(CODES, speakers, fraction=fraction, seed=seed)


def test_keeps_the_weights_of_the_best_epoch(mfcc, scores):
    classifier = tiny().fit(mfcc, Y, groups=SPEAKERS)
    assert classifier.epoch_ == 2
    assert classifier.history_["selection_score"] == scores[:3]
    rows, _ = rows_of(classifier)
    shorter = tiny(epochs=2, epoch_selection="last").fit(mfcc[rows], Y[rows])
    np.testing.assert_array_equal(classifier.predict_proba(mfcc), shorter.predict_proba(mfcc))
    assert shorter.epoch_ == 2


def test_score_is_the_recall_on_the_speakers_set_aside(mfcc, fitted):
    _, aside = rows_of(fitted)
    assert len(set(SPEAKERS[aside])) == 2
    uar = score_predictions(Y[aside], fitted.predict(mfcc[aside]))["uar"]
    assert fitted.history_["selection_score"][fitted.epoch_ - 1] == pytest.approx(uar)
    assert set(fitted.history_) == {
        *("loss", "accuracy", "learning_rate", "seconds", "selection_score")
    }


def test_each_speaker_set_aside_is_adapted_to(mfcc):
    classifier = tiny(speaker_adaptation=True).fit(mfcc, Y, groups=SPEAKERS)
    _, aside = rows_of(classifier)
    predicted = np.empty(len(Y), dtype=object)
    for speaker in set(SPEAKERS[aside]):
        own = np.isin(SPEAKERS, speaker)
        predicted[own] = classifier.predict(mfcc[own])
    uar = score_predictions(Y[aside], predicted[aside])["uar"]
    assert classifier.history_["selection_score"][classifier.epoch_ - 1] == pytest.approx(uar)


def test_the_vocal_tract_of_each_speaker_set_aside_is_tried(mfcc):
    params = {"speaker_adaptation": True, "augment": Augmentation()}
    with patch("skser._adapted_network.predict_speaker", wraps=predict_speaker) as spy:
        classifier = tiny(epochs=2, **params).fit(mfcc, Y, groups=SPEAKERS)
    _, aside = rows_of(classifier)
    heard = [(len(call.args[1]), len(call.kwargs["warps"])) for call in spy.call_args_list]
    assert heard == [(3, 5)] * 2 * len(set(SPEAKERS[aside]))


def test_speakers_set_aside_are_not_trained_on(mfcc, fitted):
    rows, aside = rows_of(fitted)
    for changed, same in ((aside, True), (rows, False)):
        other = mfcc.copy()
        other[changed] += 3
        history = tiny().fit(other, Y, groups=SPEAKERS).history_
        assert (history["loss"] == fitted.history_["loss"]) is same


def test_stops_when_patience_ends(mfcc, scores):
    heard = []
    classifier = tiny(epochs=5, patience=2)
    with listen_to_epochs(lambda *epoch: heard.append(epoch)):
        classifier.fit(mfcc, Y, groups=SPEAKERS)
    assert classifier.epoch_ == 2
    assert classifier.history_["selection_score"] == scores[:4]
    assert [epoch[:2] for epoch in heard] == [(1, 5), (2, 5), (3, 5), (4, 5)]
    assert heard[1][2]["selection_score"] == scores[1]


def test_patience_belongs_to_speakers_set_aside(mfcc):
    """A judge that knows the test fold goes through all epochs, as the published code does."""
    coming = iter([0.9, 0.2, 0.1])
    classifier = tiny(patience=1)._fit(mfcc, Y, judge=lambda network: next(coming))
    assert classifier.epoch_ == 1
    assert len(classifier.history_["loss"]) == 3


def test_seeded_fit_repeats_exactly(mfcc, fitted):
    again = clone(fitted).fit(mfcc, Y, groups=pd.Series(SPEAKERS, index=range(5, 29)))
    assert again.epoch_ == fitted.epoch_
    assert again.history_["selection_score"] == fitted.history_["selection_score"]
    np.testing.assert_array_equal(again.predict_proba(mfcc), fitted.predict_proba(mfcc))


def test_last_does_not_use_the_speakers(mfcc):
    classifier = tiny(epoch_selection="last", epochs=2)
    told = clone(classifier).fit(mfcc, Y, groups=SPEAKERS)
    untold = classifier.fit(mfcc, Y)
    weights = [fit.keras_classifier_.model_.get_weights() for fit in (told, untold)]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert told.epoch_ == untold.epoch_ == 2
    assert "selection_score" not in told.history_


def test_takes_utterances_of_different_lengths(mfcc):
    utterances = [mfcc[: 6 + row % 4] for row, mfcc in enumerate(mfcc)]
    weight = np.linspace(0.5, 1.5, 24)
    classifier = tiny(epochs=1).fit(utterances, Y, sample_weight=weight, groups=SPEAKERS)
    rows, aside = rows_of(classifier)
    heard = [utterances[row] for row in rows]
    plain = tiny(epochs=1, epoch_selection="last").fit(heard, Y[rows], sample_weight=weight[rows])
    np.testing.assert_array_equal(
        classifier.predict_proba(utterances), plain.predict_proba(utterances)
    )
    uar = score_predictions(Y[aside], classifier.predict([utterances[row] for row in aside]))["uar"]
    assert classifier.history_["selection_score"] == pytest.approx([uar])


@pytest.mark.parametrize("random_state", [0, np.random.RandomState(0)], ids=["int", "instance"])
def test_warm_start_sets_the_same_speakers_aside(mfcc, random_state):
    classifier = tiny(epochs=1, warm_start=True, random_state=random_state)
    first = rows_of(classifier.fit(mfcc, Y, groups=SPEAKERS))[1]
    network = classifier.keras_classifier_.model_
    np.testing.assert_array_equal(rows_of(classifier.fit(mfcc, Y, groups=SPEAKERS))[1], first)
    assert classifier.keras_classifier_.model_ is network
    assert classifier.epoch_ == 1
    assert len(classifier.history_["selection_score"]) == 2


def test_history_of_warm_starts_has_every_epoch(mfcc):
    classifier = tiny(epochs=1, warm_start=True).fit(mfcc, Y, groups=SPEAKERS)
    score = classifier.history_["selection_score"]
    classifier.set_params(epoch_selection="last").fit(mfcc, Y)
    history = classifier.history_
    assert {len(values) for values in history.values()} == {2}
    assert history["selection_score"][:1] == score
    assert np.isnan(history["selection_score"]).tolist() == [False, True]


def test_no_speaker_is_set_aside_whom_an_earlier_fit_has_heard(mfcc):
    classifier = tiny(epochs=1, warm_start=True, epoch_selection="last").fit(mfcc, Y)
    classifier.set_params(epoch_selection="inner")
    with pytest.raises(ValueError, match=r"'epoch_selection' parameter cannot become 'inner'"):
        classifier.fit(mfcc, Y, groups=SPEAKERS)


def test_saved_classifier_knows_its_epoch(mfcc, scores, tmp_path):
    classifier = tiny().fit(mfcc, Y, groups=SPEAKERS)
    save(classifier, tmp_path / "model.skser")
    loaded = load(tmp_path / "model.skser")
    assert loaded.epoch_ == 2
    assert rows_of(loaded)[1].tolist() == rows_of(classifier)[1].tolist()
    assert loaded.get_params() == classifier.get_params()


def test_parameters_are_copied():
    params = {"epoch_selection": "inner", "validation_fraction": 0.3, "patience": 4}
    copied = clone(LightSERNetClassifier(**params)).get_params()
    assert {name: copied[name] for name in params} == params
    defaults = LightSERNetClassifier().get_params()
    assert [defaults[name] for name in params] == ["last", 0.2, None]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"epoch_selection": "best"}, "The 'epoch_selection' parameter .* must be a str among"),
        ({"validation_fraction": 0.0}, r"The 'validation_fraction' parameter .* \(0.0, 1.0\)"),
        ({"validation_fraction": 1.0}, r"The 'validation_fraction' parameter .* \(0.0, 1.0\)"),
        ({"patience": 0}, r"The 'patience' parameter .* in the range \[1, inf\) or None"),
    ],
)
def test_refuses_parameters_out_of_range(mfcc, params, message):
    with pytest.raises(ValueError, match=message):
        tiny(**params).fit(mfcc, Y, groups=SPEAKERS)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (None, r"sets speakers aside inside fit, so fit needs them: pass groups= "),
        (SPEAKERS[1:], "inconsistent numbers of samples"),
        (["a"] * 24, r"needs at least two speakers in the training data\. Got 1;"),
        (np.stack([SPEAKERS, Y], axis=1), r"'groups' of shape \(24,\).* Got \(24, 2\)"),
    ],
)
def test_says_what_is_wrong_with_the_speakers(mfcc, groups, message):
    with pytest.raises(ValueError, match=message):
        tiny().fit(mfcc, Y, groups=groups)


def test_speakers_of_another_length_are_refused_though_not_used(mfcc):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        tiny(epoch_selection="last").fit(mfcc, Y, groups=SPEAKERS[1:])


@pytest.fixture
def model():
    return Pipeline([("same", FunctionTransformer()), ("classifier", tiny(epochs=1))])


def test_in_a_pipeline_without_routing(mfcc, model):
    model.fit(mfcc, Y, classifier__groups=SPEAKERS)
    assert len(model[-1].history_["selection_score"]) == 1
    with pytest.raises(ValueError, match="classifier__groups="):
        clone(model).fit(mfcc, Y)


def test_in_a_pipeline_with_routing(mfcc, model):
    with sklearn.config_context(enable_metadata_routing=True):
        model.fit(mfcc, Y, groups=SPEAKERS)
    alone = tiny(epochs=1).fit(mfcc, Y, groups=SPEAKERS)
    np.testing.assert_array_equal(model.predict_proba(mfcc), alone.predict_proba(mfcc))


def test_nested_in_a_search_in_a_cross_validation(mfcc, model):
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            model, {"classifier__dropout": [0.1]}, cv=SpeakerGroups(n_splits=2), error_score="raise"
        )
        scores = cross_validate(
            search,
            mfcc,
            Y,
            cv=SpeakerGroups(n_splits=2),
            params={"groups": SPEAKERS},
            return_estimator=True,
            return_indices=True,
            error_score="raise",
        )
    assert np.isfinite(scores["test_score"]).all()
    for fit, train in zip(scores["estimator"], scores["indices"]["train"], strict=True):
        assert fit.n_splits_ == 2
        classifier = fit.best_estimator_[-1]
        _, aside = hold_out_speakers(
            CODES[train], SPEAKERS[train], fraction=0.2, seed=classifier._speaker_seed
        )
        uar = score_predictions(Y[train][aside], fit.predict(mfcc[train][aside]))["uar"]
        assert classifier.history_["selection_score"] == pytest.approx([uar])


def test_in_a_search_without_routing(mfcc, model):
    search = GridSearchCV(
        model, {"classifier__dropout": [0.1]}, cv=SpeakerGroups(n_splits=2), error_score="raise"
    )
    search.fit(mfcc, Y, groups=SPEAKERS, classifier__groups=SPEAKERS)
    assert len(search.best_estimator_[-1].history_["selection_score"]) == 1
