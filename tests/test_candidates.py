"""The candidates of a grid: which there are, what they are called, and which are refused."""

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skser import make_light_sernet
from skser._candidates import as_json_grid, make_candidates, name_candidate
from skser.exceptions import EvaluationError


def test_every_combination_is_a_candidate():
    grid = {"mfcc__duration": [3, 7], "classifier__loss": ["cross_entropy", "focal"]}
    model = make_light_sernet()
    candidates = make_candidates(model, grid)
    made = [(c.model["classifier"].loss, c.model["mfcc"].duration) for c in candidates]
    assert made == [("cross_entropy", 3), ("cross_entropy", 7), ("focal", 3), ("focal", 7)]
    assert candidates[3].params == {"classifier__loss": "focal", "mfcc__duration": 7}
    assert model["classifier"].loss == "cross_entropy"
    assert model["mfcc"].duration == 3.0


def test_parts_of_a_model_can_be_candidates():
    model = Pipeline([("scaler", StandardScaler()), ("classifier", LogisticRegression())])
    scaler = MinMaxScaler()
    grid = [
        {"scaler": [scaler], "scaler__clip": [True], "classifier__C": [1.0]},
        {"scaler": ["passthrough"]},
    ]
    first, second = make_candidates(model, grid)
    assert (type(first.model["scaler"]), first.model["scaler"].clip) == (MinMaxScaler, True)
    assert not scaler.clip
    assert second.model["scaler"] == "passthrough"


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"classifier__loss": "focal", "mfcc__duration": 3}, "loss=focal, duration=3"),
        ({"a__C": 1, "b__C": None}, "a__C=1, b__C=None"),
    ],
)
def test_candidates_have_short_names(params, name):
    assert name_candidate(params) == name


def test_a_grid_is_written_as_json():
    assert as_json_grid({"C": (1, 2.5)}) == [{"C": [1, 2.5]}]
    ((written,),) = as_json_grid([{"scaler": [StandardScaler()]}])[0].values()
    assert written.startswith("StandardScaler()")


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"classifier__los": ["focal"]}, r"Got 'classifier__los'; did you mean classifier__loss\?"),
        ({"loss": ["focal"]}, r"Got 'loss'; did you mean classifier__loss\?"),
        (
            {"nothing": [1]},
            r"Got 'nothing'; there are classifier, classifier__augment, ",
        ),
        (
            {"classifier__random_state": [0, 1]},
            r"must not have seeds\. Got 'classifier__random_state'",
        ),
        ({"mfcc__n_mfcc": [20, 20]}, r"a candidate twice\. Got n_mfcc=20 more than once"),
        ({}, r"must name at least one parameter, .*Got \{\} instead"),
        ([], r"must name at least one parameter, .*Got \[\] instead"),
        ({"mfcc__n_mfcc": []}, "a list of such dicts.*mfcc__n_mfcc"),
        ({"mfcc__n_mfcc": 20}, "a list of such dicts.*mfcc__n_mfcc"),
        ({"classifier__loss": "focal"}, "a list of such dicts.*classifier__loss"),
        ("classifier__loss", "a dict of parameters to lists of values"),
    ],
)
def test_grids_that_cannot_be_meant_are_refused(grid, message):
    with pytest.raises(EvaluationError, match=message):
        make_candidates(make_light_sernet(), grid)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (
            {"classifier__loss": ["focal", "hinge"]},
            "'loss' parameter of LightSERNetClassifier must",
        ),
        ({"classifier__epochs": [0]}, r"'epochs' parameter .* must be an int .*Got 0 instead"),
        ({"mfcc__n_mfcc": ["many"]}, "'n_mfcc' parameter of MFCCTransformer must be"),
        ({"mfcc__duration": [3, 0.01]}, "'duration' parameter of MFCCTransformer must be at least"),
    ],
)
def test_values_that_are_not_allowed_are_refused(grid, message):
    with pytest.raises(ValueError, match=message):
        make_candidates(make_light_sernet(), grid)
