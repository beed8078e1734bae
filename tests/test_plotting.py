"""The figure of an evaluation: its numbers and its title."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from skser import Evaluation
from skser.plotting import plot_confusion_matrix


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
