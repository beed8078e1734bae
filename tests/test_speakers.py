"""How a model's fit is told of the speakers."""

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser import LightSERNetClassifier, make_light_sernet
from skser._speakers import speaker_params
from skser.protocols import LeaveOneSpeakerOut

GROUPS = np.repeat(list("abc"), 4)
X, Y = np.arange(24.0).reshape(12, 2), np.tile(["anger", "fear"], 6)


class Classifier(ClassifierMixin, BaseEstimator):
    """Remembers the speakers that its fit was told of."""

    __metadata_request__fit = {"groups": True}  # noqa: RUF012 - scikit-learn's name

    def __init__(self, constant=0):
        self.constant = constant

    def fit(self, X, y, groups=None):
        self.classes_, self.groups_ = np.unique(y), groups
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[self.constant])


class Transformer(TransformerMixin, BaseEstimator):
    """Remembers the speakers, too."""

    __metadata_request__fit = {"groups": True}  # noqa: RUF012 - scikit-learn's name

    def fit(self, X, y=None, groups=None):
        self.groups_ = groups
        return self

    def transform(self, X):
        return X


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


def search(model, kind=GridSearchCV, prefix="", **params):
    return kind(
        model, {f"{prefix}constant": [0, 1]}, cv=LeaveOneSpeakerOut(), error_score="raise", **params
    )


@pytest.mark.usefixtures("routing")
def test_a_classifier_that_asks_is_told():
    assert speaker_params(LightSERNetClassifier(), GROUPS) == {"groups": GROUPS}
    assert speaker_params(DummyClassifier(), GROUPS) == {}
    assert speaker_params(BaggingClassifier(), GROUPS) == {}


def test_a_pipeline_passes_them_on(routing):
    name = "groups" if routing else "classifier__groups"
    assert list(speaker_params(make_light_sernet(), GROUPS)) == [name]
    assert speaker_params(make_pipeline(StandardScaler(), DummyClassifier()), GROUPS) == {}


@pytest.mark.usefixtures("routing")
def test_each_step_that_asks_is_told():
    model = make_pipeline(
        "passthrough", Transformer(), make_pipeline(StandardScaler(), Classifier())
    )
    model.fit(X, Y, **speaker_params(model, GROUPS))
    assert model[1].groups_ is GROUPS
    assert model[2][1].groups_ is GROUPS


@pytest.mark.usefixtures("routing")
def test_the_splitter_of_a_search_is_told():
    for model in (search(DummyClassifier(), prefix=""), search(Classifier())):
        assert list(speaker_params(model, GROUPS)) == ["groups"]
    model = search(Classifier(), RandomizedSearchCV, n_iter=2)
    model.fit(X, Y, **speaker_params(model, GROUPS))
    assert model.n_splits_ == 3


@pytest.mark.usefixtures("routing")
def test_the_pipeline_in_a_search_is_told_too():
    model = search(make_pipeline(StandardScaler(), Classifier()), prefix="classifier__")
    model.fit(X, Y, **speaker_params(model, GROUPS))
    assert model.n_splits_ == 3
    np.testing.assert_array_equal(model.best_estimator_[-1].groups_, GROUPS)


@pytest.mark.usefixtures("routing")
def test_a_search_in_a_pipeline_is_told():
    model = make_pipeline(StandardScaler(), search(Classifier()))
    model.fit(X, Y, **speaker_params(model, GROUPS))
    assert model[-1].n_splits_ == 3


@pytest.mark.usefixtures("routing")
def test_a_search_that_splits_without_speakers_fits():
    for cv in (2, KFold(2), [(np.arange(6), np.arange(6, 12)), (np.arange(6, 12), np.arange(6))]):
        model = GridSearchCV(DummyClassifier(), {"strategy": ["prior"]}, cv=cv)
        model.fit(X, Y, **speaker_params(model, GROUPS))
        assert model.n_splits_ == 2
