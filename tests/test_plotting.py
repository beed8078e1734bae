"""The figure of an evaluation: its numbers and its title."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV
from standin import StandIn

from skser import Evaluation, search
from skser.exceptions import EvaluationError
from skser.plotting import SearchDisplay, plot_confusion_matrix


@pytest.fixture
def evaluation():
    """Anger: 3 of 4 right. Fear: 1 of 2 right. Joy is predicted once, and nobody shows it."""
    truth = ["anger"] * 4 + ["fear"] * 2
    predicted = ["anger"] * 3 + ["fear"] + ["fear", "joy"]
    predictions = pd.DataFrame(
        {"seed": 0, "file": range(6), "speaker": "a", "label": truth, "prediction": predicted}
    )
    settings = {
        "seeds": [0],
        "corpus": {"name": "noise", "emotions": ["anger", "fear", "joy"]},
        "protocol": {"name": "leave-one-speaker-out"},
    }
    return Evaluation(predictions, pd.DataFrame(), settings)


def test_rows_are_shares_of_each_emotion(evaluation):
    display = plot_confusion_matrix(evaluation)
    expected = [[0.75, 0.25, 0], [0, 0.5, 0.5], [0, 0, 0]]
    np.testing.assert_array_equal(display.confusion_matrix, expected)
    texts = [text.get_text() for text in display.text_.ravel()]
    assert texts == ["75%", "25%", "0%", "0%", "50%", "50%", "0%", "0%", "0%"]
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == ["anger", "fear", "joy"]
    assert display.im_.get_clim() == (0, 1)


def test_the_title_says_what_was_evaluated_and_how(evaluation):
    title = plot_confusion_matrix(evaluation).ax_.get_title()
    assert title == "noise, leave-one-speaker-out, pooled\nUAR 62.5%, WA 66.7%"


def test_the_title_says_what_the_scores_know(evaluation):
    evaluation.settings["protocol"] = {"name": "published", "caveat": "knows the test fold"}
    title = plot_confusion_matrix(evaluation).ax_.get_title()
    assert title.splitlines()[0] == "noise, published (knows the test fold), pooled"


def test_several_seeds_are_counted_together(evaluation):
    table = evaluation.predictions
    other = table.assign(seed=1, prediction=["anger"] * 4 + ["fear"] * 2)
    evaluation.settings["seeds"] = [0, 1]
    both = Evaluation(pd.concat([table, other]), evaluation.folds, evaluation.settings)
    display = plot_confusion_matrix(both)
    np.testing.assert_array_equal(
        display.confusion_matrix, [[7 / 8, 1 / 8, 0], [0, 3 / 4, 1 / 4], [0, 0, 0]]
    )
    assert display.ax_.get_title().endswith("UAR 81.2%, WA 83.3%")  # means of 62.5, 66.7 and 100


def test_given_axes_are_drawn_on(evaluation):
    ax = Figure().subplots()
    assert plot_confusion_matrix(evaluation, ax=ax).ax_ is ax


def test_the_figure_is_written_without_a_window_system(evaluation, tmp_path):
    plot_confusion_matrix(evaluation).figure_.savefig(tmp_path / "matrix.png", dpi=20)
    assert (tmp_path / "matrix.png").read_bytes().startswith(b"\x89PNG")


# --- searches --------------------------------------------------------------------------------


@pytest.fixture
def results():
    """Two losses at two durations, each with two sizes of batches; one failed."""
    rows = [
        ("focal", 3, 8, 0.5, 0.4),
        ("focal", 3, 16, 0.6, 0.3),
        ("focal", 7, 8, 0.7, 0.9),
        ("focal", 7, 16, 0.1, 0.2),
        ("cross_entropy", 3, 8, 0.3, 0.8),
        ("cross_entropy", 3, 16, np.nan, np.nan),
    ]
    params = ["param_classifier__loss", "param_mfcc__duration", "param_classifier__batch_size"]
    return pd.DataFrame(rows, columns=[*params, "mean_test_score", "pooled_uar"])


def texts_of(display):
    return [[text.get_text() for text in row] for row in display.text_]


def test_a_heat_map_has_a_parameter_each_way(results):
    display = SearchDisplay.from_results(results, title="noise")
    assert texts_of(display) == [["60.0%", "70.0%"], ["30.0%", ""]]
    ax = display.ax_
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["focal", "cross_entropy"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["3", "7"]
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("loss", "duration")
    assert ax.get_title() == "noise\nhighest over batch_size"
    np.testing.assert_array_equal(display.im_.get_array(), [[0.6, 0.7], [0.3, np.nan]])


def test_which_parameters_and_score_are_drawn_can_be_said(results):
    display = SearchDisplay.from_results(
        results, params=["classifier__batch_size", "mfcc__duration"], score="pooled_uar"
    )
    assert texts_of(display) == [["80.0%", "90.0%"], ["30.0%", "20.0%"]]
    assert display.figure_.axes[1].get_ylabel() == "UAR, pooled"
    alone = SearchDisplay.from_results(results, params=["mfcc__duration"])
    assert texts_of(alone) == [["60.0%", "70.0%"]]


def test_what_a_search_does_not_have_is_not_drawn(results):
    with pytest.raises(
        EvaluationError, match="'score' parameter must be one of mean_test_score, p"
    ):
        SearchDisplay.from_results(results, score="accuracy")
    for params in (["loss"], [], ["mfcc__duration"] * 2):
        with pytest.raises(EvaluationError, match="one or two of classifier__loss, mfcc__duration"):
            SearchDisplay.from_results(results, params=params)


def test_a_search_of_scikit_learn_is_drawn():
    grid = [{"strategy": ["constant"], "constant": [0, 1]}, {"strategy": ["prior"]}]
    model = GridSearchCV(DummyClassifier(), grid, cv=2)
    model.fit(np.zeros((8, 1)), [0, 0, 0, 1] * 2)
    display = SearchDisplay.from_results(model.cv_results_, params=["strategy"])
    assert texts_of(display) == [["75.0%", "75.0%"]]


def test_the_title_of_a_search_says_that_the_best_is_optimistic(noise, tmp_path):
    result = search(StandIn(), noise, {"C": [0.1, 1.0]})
    ax = Figure().subplots()
    display = SearchDisplay.from_search(result, ax=ax)
    assert display.ax_ is ax
    assert ax.get_title().splitlines() == [
        "noise, leave-one-speaker-out",
        "the best was chosen by these scores, so its own is optimistic",
    ]
    pooled = [f"{value:.1%}" for value in result.results["pooled_uar"]]
    assert texts_of(display) == [pooled]
    display.figure_.savefig(tmp_path / "map.png", dpi=20)
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


def test_a_search_in_which_all_failed_can_be_drawn(results):
    display = SearchDisplay.from_results(results.assign(mean_test_score=np.nan))
    assert texts_of(display) == [["", ""], ["", ""]]
