"""Models that split their training data inside: which of them mix speakers."""

import warnings

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.feature_selection import RFECV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RandomizedSearchCV,
    ShuffleSplit,
    StratifiedGroupKFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from standin import StandIn

from skser import evaluate
from skser._inner_splits import mixed_speakers
from skser.exceptions import MixedSpeakersWarning
from skser.protocols import LeaveOneSpeakerOut

GROUPS = np.repeat(list("abc"), 4)
Y = np.tile(["anger", "fear"], 6)
HALVES = (np.arange(4), np.arange(4, 12))


def search(cv):
    return GridSearchCV(DummyClassifier(), {"constant": [0]}, cv=cv)


@pytest.mark.parametrize(
    "cv",
    [None, 2, KFold(2), ShuffleSplit(3, random_state=0), PredefinedSplit([0, 1] * 6)],
    ids=str,
)
def test_splits_that_mix_speakers_are_found(cv):
    model = search(cv)
    ((part, speakers),) = mixed_speakers(model, Y, GROUPS)
    assert part is model
    assert set(speakers) <= set("abc")
    assert len(speakers) > 0


@pytest.mark.parametrize(
    "cv",
    [
        LeaveOneGroupOut(),
        GroupKFold(2),
        GroupShuffleSplit(5, random_state=0),
        StratifiedGroupKFold(2),
        LeaveOneSpeakerOut(),
        [HALVES, HALVES[::-1]],
        KFold(3),  # each speaker's utterances follow each other here
    ],
    ids=str,
)
def test_splits_by_speaker_are_none_of_them(cv):
    assert list(mixed_speakers(search(cv), Y, GROUPS)) == []


def test_parts_are_found_wherever_they_are():
    inner = RandomizedSearchCV(DummyClassifier(), {"constant": [0]}, cv=2)
    selector = RFECV(LogisticRegression(), cv=2)
    model = make_pipeline(StandardScaler(), selector, GridSearchCV(inner, {"n_iter": [1]}, cv=2))
    found = {type(part).__name__ for part, _ in mixed_speakers(model, Y, GROUPS)}
    assert found == {"RFECV", "GridSearchCV", "RandomizedSearchCV"}


@pytest.mark.parametrize("cv", [7, "none", [(np.arange(40), np.arange(40, 80))]], ids=str)
def test_what_cannot_be_split_is_left_to_fit(cv):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(mixed_speakers(search(cv), Y, GROUPS)) == []


def test_the_generator_of_a_splitter_is_left_alone():
    generator = np.random.RandomState(0)
    list(mixed_speakers(search(ShuffleSplit(3, random_state=generator)), Y, GROUPS))
    assert generator.randint(1000) == np.random.RandomState(0).randint(1000)


def test_evaluate_warns_and_names_the_remedy(noise):
    message = (
        r"The inner splits of GridSearchCV \(cv=3\) mix speakers: b, c, d stand on both sides.*"
        r"Pass a splitter by group, such as cv=GroupKFold\(\) or cv=LeaveOneGroupOut\(\)"
    )
    with pytest.warns(MixedSpeakersWarning, match=message) as warned:
        evaluate(GridSearchCV(StandIn(), {"C": [1.0]}, cv=3), noise)
    assert warned[0].filename == __file__
