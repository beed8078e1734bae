"""Standardising by speaker, and the protocol that alone may score it."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

import skser
from skser import LightSERNetClassifier, SpeakerStandardizer, make_baseline, make_light_sernet
from skser._adapted_network import predict_speaker
from skser._vocal_tract import vocal_tract_warps
from skser.datasets import make_emotional_speech
from skser.exceptions import EvaluationError, UnknownSpeakersWarning
from skser.functionals import MFCCStatistics
from skser.mfcc import MFCCTransformer

SPEAKERS = np.repeat(["a", "b", "c"], 4)


def expected_failures(_estimator):
    reason = "an utterance is standardised by the others of the batch: they are its speaker's"
    return {"check_methods_subset_invariance": reason}


@pytest.mark.filterwarnings(
    "ignore:SpeakerStandardizer was not told"  # the checks know no speakers
)
@parametrize_with_checks([SpeakerStandardizer()], expected_failed_checks=expected_failures)
def test_passes_the_common_checks(estimator, check):
    check(estimator)


@pytest.fixture
def mfcc():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(12, 9, 5)) * generator.uniform(1, 9, size=(12, 1, 5))
    return (X + 10 * (SPEAKERS == "b")[:, np.newaxis, np.newaxis]).astype(np.float32)


@pytest.mark.parametrize("with_std", [True, False])
def test_each_speaker_is_standardised_by_its_own_frames(mfcc, with_std):
    standardized = SpeakerStandardizer(with_std=with_std).fit_transform(mfcc, groups=SPEAKERS)
    assert standardized.dtype == np.float32
    for speaker in "abc":
        own, before = standardized[speaker == SPEAKERS], mfcc[speaker == SPEAKERS]
        np.testing.assert_allclose(own.mean(axis=(0, 1)), 0, atol=1e-5)
        expected = 1 if with_std else before.std(axis=(0, 1))
        np.testing.assert_allclose(own.std(axis=(0, 1)), expected, rtol=1e-4)


def test_lists_and_series_give_what_arrays_give(mfcc):
    expected = SpeakerStandardizer().fit_transform(mfcc, groups=SPEAKERS)
    speakers = pd.Series(SPEAKERS, index=range(5, 17))
    given = SpeakerStandardizer().fit_transform(list(mfcc), groups=speakers)
    assert isinstance(given, list)
    np.testing.assert_array_equal(np.stack(given), expected)


def test_transform_takes_the_utterances_of_one_speaker(mfcc):
    standardizer = SpeakerStandardizer().fit(mfcc, groups=SPEAKERS)
    expected = standardizer.fit_transform(mfcc, groups=SPEAKERS)
    for speaker in "abc":
        rows = speaker == SPEAKERS
        np.testing.assert_array_equal(standardizer.transform(mfcc[rows]), expected[rows])


def test_does_not_change_its_input(mfcc):
    before = mfcc.copy()
    SpeakerStandardizer().fit_transform(mfcc, groups=SPEAKERS)
    np.testing.assert_array_equal(mfcc, before)


def test_warns_if_it_is_not_told_the_speakers(mfcc):
    with pytest.warns(UnknownSpeakersWarning, match="takes all utterances as one speaker's"):
        SpeakerStandardizer().fit_transform(mfcc)


def test_refuses_missing_speakers(mfcc):
    speakers = [None, *SPEAKERS[1:]]
    with pytest.raises(ValueError, match="Got 1 'groups' that are missing"):
        SpeakerStandardizer().fit(mfcc, groups=speakers)


def test_refuses_speakers_of_another_length(mfcc):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        SpeakerStandardizer().fit(mfcc, groups=SPEAKERS[:-1])


@pytest.fixture(scope="module")
def corpus():
    return make_emotional_speech(
        n_speakers=3, n_utterances=3, emotions=["anger", "sadness"], random_state=0
    )


def test_evaluation_says_that_the_voice_was_heard(corpus):
    model = make_baseline("mfcc_svc", speaker_adaptation=True)
    evaluation = skser.evaluate(model, corpus, protocol="speaker-adaptation")
    assert "not the voice" in evaluation.settings["protocol"]["sentence"]
    assert "without labels" in str(evaluation)


def test_evaluation_equals_standardising_by_hand(corpus):
    model = make_baseline("mfcc_svc", speaker_adaptation=True)
    predictions = skser.evaluate(model, corpus, protocol="speaker-adaptation").predictions
    features = make_pipeline(MFCCTransformer(duration=None), MFCCStatistics())
    X, groups = features.fit_transform(corpus.data), np.asarray(corpus.groups)
    for speaker in np.unique(groups):
        own = groups == speaker
        X[own] = (X[own] - X[own].mean(axis=0)) / X[own].std(axis=0)
    expected = np.empty(len(groups), dtype=object)
    for speaker in np.unique(groups):
        test = groups == speaker
        svc = SVC(kernel="linear").fit(X[~test], corpus.target[~test])
        expected[test] = svc.predict(X[test])
    assert predictions["prediction"].tolist() == expected.tolist()


def test_network_is_told_the_speakers(corpus, monkeypatch):
    told = []
    fit_transform = SpeakerStandardizer.fit_transform

    def spy(self, X, y=None, groups=None):
        told.append(set(groups))
        return fit_transform(self, X, y, groups)

    monkeypatch.setattr(SpeakerStandardizer, "fit_transform", spy)
    model = make_light_sernet(duration=0.5, epochs=1, paths=("spectral",))
    model.steps.insert(1, ("adaptation", SpeakerStandardizer(with_std=False)))
    evaluation = skser.evaluate(model, corpus, protocol="speaker-adaptation")
    assert len(evaluation.predictions) == len(corpus.data)
    speakers = set(corpus.groups)
    assert told == [speakers - {speaker} for speaker in sorted(speakers)]


def test_only_its_own_protocol_scores_an_adapted_model(corpus):
    adapted = make_baseline("mfcc_svc", speaker_adaptation=True)
    with pytest.raises(EvaluationError, match="hears the test speaker before it predicts"):
        skser.evaluate(adapted, corpus)
    with pytest.raises(EvaluationError, match="has neither a SpeakerStandardizer nor"):
        skser.evaluate(make_baseline("mfcc_svc"), corpus, protocol="speaker-adaptation")
    search = GridSearchCV(adapted, {"classifier__C": [0.1, 1.0]}, cv=GroupKFold(2))
    with pytest.raises(EvaluationError, match="speaker-adaptation takes no search"):
        skser.evaluate(search, corpus, protocol="speaker-adaptation")


def test_an_adapted_network_hears_the_speaker_as_well(corpus):
    model = make_light_sernet(duration=0.5, speaker_adaptation=True)
    with pytest.raises(EvaluationError, match="hears the test speaker before it predicts"):
        skser.evaluate(model, corpus)
    with pytest.raises(EvaluationError, match="hears the test speaker before it predicts"):
        skser.search(make_light_sernet(), corpus, {"classifier__speaker_adaptation": [True]})


@pytest.mark.parametrize(
    "grid",
    [
        {"classifier__speaker_adaptation": [False, True]},
        {"classifier": [LightSERNetClassifier(speaker_adaptation=True)]},
        [{"classifier__epochs": [1]}, {"mfcc": ["passthrough", SpeakerStandardizer()]}],
        {"mfcc": [make_pipeline(MFCCTransformer(), SpeakerStandardizer())]},
        {"mfcc": np.array([MFCCTransformer(), SpeakerStandardizer()], dtype=object)},
    ],
)
def test_no_search_finds_adaptation_unseen(grid, corpus):
    search = GridSearchCV(make_light_sernet(), grid, cv=GroupKFold(2))
    with pytest.raises(EvaluationError, match="leave it out of the search, or evaluate a Pipeline"):
        skser.evaluate(search, corpus)


def test_a_search_among_models_that_do_not_adapt_is_none_that_does(corpus):
    grid = {"classifier__speaker_adaptation": [False]}
    search = GridSearchCV(make_light_sernet(), grid, cv=GroupKFold(2))
    with pytest.raises(EvaluationError, match="has neither a SpeakerStandardizer nor"):
        skser.evaluate(search, corpus, protocol="speaker-adaptation")


def test_evaluation_adapts_the_network_to_each_speaker(corpus):
    model = make_light_sernet(duration=0.5, epochs=1, paths=("spectral",), random_state=0)
    model.set_params(classifier__speaker_adaptation=True)
    evaluation = skser.evaluate(model, corpus, protocol="speaker-adaptation", seeds=(0,))
    warps = vocal_tract_warps(0.12, 64, 40.0, 7600.0)[[16, 8, 24, 0, 32]]
    groups, columns = np.asarray(corpus.groups), [f"p_{name}" for name in np.unique(corpus.target)]
    for speaker in np.unique(groups):
        own = groups == speaker
        heard = [corpus.data[row] for row in np.flatnonzero(~own)]
        fitted = clone(model).set_params(classifier__speaker_adaptation=False)
        fitted.fit(heard, corpus.target[~own])
        mfcc = fitted["mfcc"].transform([corpus.data[row] for row in np.flatnonzero(own)])
        network = fitted["classifier"].keras_classifier_.model_
        expected = predict_speaker(network, mfcc, batch_size=32, warps=warps)
        rows = evaluation.predictions.loc[evaluation.predictions["fold"] == speaker, columns]
        np.testing.assert_allclose(rows.to_numpy(), expected, atol=1e-5)


def test_clones():
    assert clone(SpeakerStandardizer(with_std=False)).with_std is False
