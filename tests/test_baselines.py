"""The baselines take a corpus as the network does, and none knows the test speaker."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import LeaveOneGroupOut, cross_validate
from sklearn.utils import Bunch

import skser
from skser import evaluate, make_baseline
from skser.baselines import BASELINES
from skser.datasets import make_emotional_speech
from skser.exceptions import AudioFileError

EMOTIONS = ["anger", "neutral", "sadness"]


@pytest.fixture(scope="module")
def corpus():
    return make_emotional_speech(3, n_utterances=1, emotions=EMOTIONS, random_state=0)


@pytest.fixture(params=BASELINES)
def baseline(request):
    return make_baseline(request.param)


def test_steps_and_their_fixed_parameters():
    steps = {name: list(make_baseline(name).named_steps) for name in BASELINES}
    assert steps == {
        "majority": ["classifier"],
        "mfcc_svc": ["mfcc", "statistics", "scaler", "classifier"],
        "egemaps_svc": ["functionals", "scaler", "classifier"],
        "compare_svc": ["functionals", "scaler", "classifier"],
    }
    penalties = {name: make_baseline(name)["classifier"].C for name in BASELINES[1:]}
    assert penalties == {"mfcc_svc": 1.0, "egemaps_svc": 1.0, "compare_svc": 1e-3}
    assert {make_baseline(name)["classifier"].kernel for name in BASELINES[1:]} == {"linear"}
    feature_sets = [make_baseline(name)["functionals"].feature_set for name in BASELINES[2:]]
    assert feature_sets == ["eGeMAPSv02", "ComParE_2016"]
    assert make_baseline("mfcc_svc")["mfcc"].duration is None


def test_n_jobs_reaches_the_features():
    assert make_baseline("majority", n_jobs=2).get_params()["classifier__strategy"] == "prior"
    assert make_baseline("mfcc_svc", n_jobs=2).get_params()["mfcc__n_jobs"] == 2
    for name in ("egemaps_svc", "compare_svc"):
        assert make_baseline(name, n_jobs=2).get_params()["functionals__n_jobs"] == 2


@pytest.mark.parametrize("name", ["svc", None, ["majority"]])
def test_refuses_an_unknown_name(name):
    with pytest.raises(ValueError, match=r"The 'name' parameter of make_baseline must be a str"):
        make_baseline(name)


def test_evaluates_on_unheard_speakers(baseline, corpus):
    evaluation = evaluate(baseline, corpus)
    assert is_classifier(baseline)
    assert evaluation.predictions["prediction"].isin(EMOTIONS).all()
    has_probabilities = "p_anger" in evaluation.predictions
    assert has_probabilities == isinstance(baseline["classifier"], DummyClassifier)
    scores = cross_validate(
        baseline,
        corpus.data,
        corpus.target,
        groups=corpus.groups,
        cv=LeaveOneGroupOut(),
        scoring="balanced_accuracy",
    )
    np.testing.assert_allclose(evaluation.per_speaker["uar"], scores["test_score"])


def test_the_majority_is_at_chance_and_says_so(corpus):
    # one more anger in the corpus, so that each fold's majority is known
    extra = make_emotional_speech(3, n_utterances=2, emotions=["anger"], random_state=1)
    data, target = [*corpus.data, *extra.data], [*corpus.target, *extra.target]
    groups = [*corpus.groups, *extra.groups]
    evaluation = evaluate(make_baseline("majority"), Bunch(data=data, target=target, groups=groups))
    assert set(evaluation.predictions["prediction"]) == {"anger"}
    assert evaluation.pooled["uar"] == pytest.approx(1 / 3)
    shares = evaluation.predictions[[f"p_{emotion}" for emotion in EMOTIONS]]
    np.testing.assert_allclose(shares, np.tile([0.6, 0.2, 0.2], (15, 1)))


@pytest.mark.parametrize("copy", [clone, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_predict_the_same(baseline, copy, corpus):
    copied = copy(baseline.fit(corpus.data, corpus.target))
    if not hasattr(copied[-1], "classes_"):  # a clone is not fitted
        copied.fit(corpus.data, corpus.target)
    assert copied.classes_.tolist() == EMOTIONS
    np.testing.assert_array_equal(copied.predict(corpus.data), baseline.predict(corpus.data))


def test_an_utterance_alone_is_predicted_as_in_a_batch(baseline, corpus):
    baseline.fit(corpus.data, corpus.target)
    alone = [baseline.predict([waveform])[0] for waveform in corpus.data]
    np.testing.assert_array_equal(alone, baseline.predict(corpus.data))
    if hasattr(baseline[-1], "decision_function"):
        together = baseline.decision_function(corpus.data)
        for row, waveform in enumerate(corpus.data):
            np.testing.assert_array_equal(baseline.decision_function([waveform])[0], together[row])


def test_features_are_standardised_by_the_training_utterances_alone(corpus):
    rows = np.flatnonzero(corpus.groups != "s01")
    heard = [corpus.data[row] for row in rows]
    model = make_baseline("mfcc_svc").fit(heard, corpus.target[rows])
    mean = model["scaler"].mean_.copy()
    np.testing.assert_allclose(mean, model[:2].transform(heard).mean(axis=0), rtol=1e-4, atol=1e-5)
    model.predict(corpus.data)
    np.testing.assert_array_equal(model["scaler"].mean_, mean)


def test_folds_share_the_functionals(corpus, extractions):
    evaluate(make_baseline("egemaps_svc"), corpus)
    assert sorted(extractions) == sorted(len(waveform) for waveform in corpus.data)


def test_recordings_give_what_their_samples_give(tmp_path, corpus):
    recorded = make_emotional_speech(
        3, n_utterances=1, emotions=EMOTIONS, random_state=0, out=tmp_path
    )
    model = make_baseline("mfcc_svc").fit(recorded.data, recorded.target)
    expected = make_baseline("mfcc_svc").fit(corpus.data, corpus.target)
    np.testing.assert_array_equal(model.predict(recorded.data), expected.predict(corpus.data))


@pytest.mark.parametrize("name", BASELINES[1:])
def test_bad_recordings_are_named(name):
    with pytest.raises(AudioFileError, match=r"^2 utterances cannot be used"):
        make_baseline(name).fit(["gone.wav", "lost.wav"], EMOTIONS[:2])


def test_making_one_does_not_import_tensorflow_or_opensmile():
    code = (
        "import sys; from skser import make_baseline; make_baseline('compare_svc'); "
        "print({'tensorflow', 'keras', 'opensmile'} & {*sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_the_name_is_public():
    assert "make_baseline" in dir(skser)
