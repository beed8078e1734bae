"""The Pipeline under scikit-learn's own tools, with metadata routing off and on."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
import sklearn
from scipy.stats import uniform
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - has the search below
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    LeaveOneGroupOut,
    RandomizedSearchCV,
    cross_validate,
)

from skser import make_light_sernet
from skser.datasets import load_emodb, make_emotional_speech
from skser.metrics import SCORING


@pytest.fixture(scope="module")
def corpus():
    return make_emotional_speech(
        n_speakers=3, n_utterances=2, emotions=["anger", "sadness"], random_state=0
    )


@pytest.fixture(scope="module")
def model():
    return make_light_sernet(
        duration=0.5, epochs=1, batch_size=8, paths=("spectral",), random_state=0
    )


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


def test_steps_and_short_recipe():
    model = make_light_sernet(
        recipe="short", duration=7.0, loss="focal", random_state=3, n_jobs=2, cache="mfcc"
    )
    assert list(model.named_steps) == ["mfcc", "classifier"]
    params = model.get_params()
    assert (params["mfcc__duration"], params["mfcc__n_jobs"]) == (7.0, 2)
    assert params["mfcc__cache"] == "mfcc"
    assert (params["classifier__loss"], params["classifier__random_state"]) == ("focal", 3)
    assert (params["classifier__epochs"], params["classifier__learning_rate"]) == (40, 1e-3)
    assert params["classifier__learning_rate_schedule"] == "cosine"


def test_paper_recipe_is_the_classifiers_default():
    params = make_light_sernet(recipe="paper").get_params()
    assert (params["classifier__epochs"], params["classifier__learning_rate"]) == (300, 1e-4)
    assert params["classifier__learning_rate_schedule"] == "step"


def test_robust_recipe_changes_what_surrounds_the_network():
    robust, short = (make_light_sernet(recipe=name).get_params() for name in ("robust", "short"))
    assert (robust["mfcc__n_mfcc"], short["mfcc__n_mfcc"]) == (64, 40)
    assert (robust["classifier__epochs"], short["classifier__epochs"]) == (90, 40)
    rates = [recipe["classifier__learning_rate"] for recipe in (robust, short)]
    assert rates == [2e-3, 1e-3]
    assert robust["mfcc__clip"] is None  # the changes are linear on unclipped cepstra
    assert robust["classifier__standardize"] is True
    assert robust["classifier__augment__fmin"] == robust["mfcc__fmin"]
    assert robust["classifier__augment__fmax"] == robust["mfcc__fmax"]
    for name in ("paths", "dropout", "l2", "loss"):
        assert robust[f"classifier__{name}"] == short[f"classifier__{name}"]


def test_parameters_override_the_recipe():
    assert make_light_sernet(epochs=3).get_params()["classifier__epochs"] == 3


def test_refuses_an_unknown_recipe():
    with pytest.raises(ValueError, match="The 'recipe' parameter of make_light_sernet"):
        make_light_sernet(recipe="best")


def test_refuses_an_unknown_parameter():
    with pytest.raises(TypeError, match=r"Got \['epoch'\] instead; those of MFCCTransformer"):
        make_light_sernet(epoch=3)


def test_cross_validates_over_speakers(corpus, model, routing):
    groups = {"params": {"groups": corpus.groups}} if routing else {"groups": corpus.groups}
    scores = cross_validate(
        model, corpus.data, corpus.target, cv=LeaveOneGroupOut(), scoring=SCORING, **groups
    )
    for name in SCORING:
        assert scores[f"test_{name}"].shape == (3,)
        assert np.isfinite(scores[f"test_{name}"]).all()


@pytest.mark.usefixtures("routing")
def test_grid_over_loss_and_duration(corpus, model):
    grid = {"classifier__loss": ["cross_entropy", "focal"], "mfcc__duration": [0.25, 0.5]}
    search = GridSearchCV(
        model, grid, cv=LeaveOneGroupOut(), scoring="balanced_accuracy", error_score="raise"
    )
    search.fit(corpus.data, corpus.target, groups=corpus.groups)
    assert len(search.cv_results_["params"]) == 4
    assert search.predict(corpus.data).shape == (12,)


@pytest.mark.usefixtures("routing")
def test_random_search(corpus, model):
    search = RandomizedSearchCV(
        model,
        {"classifier__dropout": uniform(0, 0.5), "mfcc__duration": [0.25, 0.5]},
        n_iter=2,
        cv=LeaveOneGroupOut(),
        scoring="balanced_accuracy",
        error_score="raise",
        random_state=0,
    )
    search.fit(corpus.data, corpus.target, groups=corpus.groups)
    assert len(search.cv_results_["params"]) == 2
    assert search.predict(corpus.data).shape == (12,)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize(
    ("resource", "resources"), [("classifier__epochs", [1, 2]), ("n_samples", [6, 12])]
)
def test_halving_search(corpus, model, resource, resources):
    search = HalvingGridSearchCV(
        model,
        {"classifier__loss": ["cross_entropy", "focal"]},
        resource=resource,
        min_resources=resources[0],
        max_resources=resources[1],
        factor=2,
        cv=LeaveOneGroupOut(),
        scoring="accuracy",
        error_score="raise",
        refit=False,
        random_state=0,
    )
    search.fit(corpus.data, corpus.target, groups=corpus.groups)
    assert search.n_resources_ == resources
    assert search.n_candidates_[0] == 2


def test_a_search_is_nested_in_an_outer_loop(corpus, model):
    grid = {"classifier__loss": ["cross_entropy", "focal"]}
    with sklearn.config_context(enable_metadata_routing=True):
        nested = cross_validate(
            GridSearchCV(model, grid, cv=LeaveOneGroupOut(), error_score="raise"),
            corpus.data,
            corpus.target,
            params={"groups": corpus.groups},
            cv=LeaveOneGroupOut(),
            scoring=SCORING,
            error_score="raise",
            return_estimator=True,
        )
    assert nested["test_uar"].shape == (3,)
    for search in nested["estimator"]:
        assert search.n_splits_ == 2  # the inner speakers
        assert search.best_params_["classifier__loss"] in grid["classifier__loss"]


def test_predicts_a_duration_that_it_was_not_fitted_with(corpus, model):
    fitted = clone(model).fit(corpus.data, corpus.target)
    before = fitted.predict_proba(corpus.data)
    fitted.set_params(mfcc__duration=1.0)
    after = fitted.predict_proba(corpus.data)
    assert after.shape == before.shape
    assert not np.allclose(before, after)


def test_keeps_lengths_without_a_duration(corpus, model):
    fitted = clone(model).set_params(mfcc__duration=None).fit(corpus.data, corpus.target)
    probabilities = fitted.predict_proba(corpus.data)
    np.testing.assert_allclose(
        probabilities[2:3], fitted.predict_proba(corpus.data[2:3]), atol=1e-6
    )


def test_fits_real_speech(emodb_root):
    corpus = load_emodb(emodb_root)
    rows = np.flatnonzero(np.isin(corpus.groups, ["03", "08"]))[::4]
    recordings, labels = [corpus.data[row] for row in rows], corpus.target[rows]
    model = make_light_sernet(epochs=2, random_state=0).fit(recordings, labels)
    probabilities = model.predict_proba(recordings)
    assert probabilities.shape == (len(rows), len(np.unique(labels)))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    model.set_params(mfcc__duration=7.0)
    assert model.predict_proba(recordings[:2]).shape == (2, len(model.classes_))


_FIT_AND_PREDICT = """
import keras
from skser import make_light_sernet
from skser.datasets import make_emotional_speech

assert keras.backend.backend() == "jax"
corpus = make_emotional_speech(
    n_speakers=2, n_utterances=2, emotions=["anger", "sadness"], random_state=0
)
model = make_light_sernet(duration=0.5, epochs=2, batch_size=8, random_state=0)
first = model.fit(corpus.data, corpus.target).predict_proba(corpus.data)
again = model.fit(corpus.data, corpus.target).predict_proba(corpus.data)
assert (first == again).all()
print("fitted on", keras.backend.backend())
"""


@pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is an optional backend (skser[jax])"
)
def test_trains_on_jax():
    run = subprocess.run(
        [sys.executable, "-c", _FIT_AND_PREDICT],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "fitted on jax" in run.stdout, run.stderr
