"""What an evaluation says of its predictions: scores, tables, files, print."""

import json
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from standin import Seeded, StandIn, make_corpus

from skser import Evaluation, evaluate
from skser.exceptions import EvaluationError
from skser.metrics import SCORE_NAMES, bootstrap_intervals, score_predictions
from skser.protocols import CorpusToCorpus

CAVEAT = "knows the test fold"


def make_evaluation(whole, *runs, speakers=("03", "03", "x", "03")):
    """Make an evaluation of four utterances, with a run of predictions for each seed."""
    table = pd.DataFrame(
        {
            "seed": 0,
            "fold": speakers,
            "file": ["1.wav", "2.wav", "3.wav", "4.wav"],
            "speaker": speakers,
            "label": ["nan", "NA", "NA", "nan"],
            "prediction": "",
            "p_NA": [0.1, 0.7, 2 / 3, 0.1 + 0.2],
            "p_nan": [0.9, 0.3, 1 / 3, 0.7],
        }
    )
    tables = [table.assign(seed=seed, prediction=run) for seed, run in enumerate(runs)]
    folds = pd.DataFrame(
        {"fold": ["03", "x"], "n_train": [1, 3], "n_test": [3, 1], "seconds": [0.1, 1 / 3]}
    )
    folds = pd.concat([folds.assign(seed=seed) for seed in range(len(runs))], ignore_index=True)
    settings = deepcopy(whole.settings)
    settings["seeds"] = list(range(len(runs)))
    settings["corpus"]["emotions"] = ["NA", "nan"]
    return Evaluation(pd.concat(tables, ignore_index=True), folds, settings)


@pytest.fixture
def by_hand(whole):
    """Two speakers: `03` has 2 of 3 right, `x` has 1 of 1."""
    return make_evaluation(whole, ["nan", "NA", "NA", "NA"])


@pytest.fixture
def two_seeds(whole):
    """With the second seed speaker `03` has 1 of 3 right, `x` has 0 of 1."""
    return make_evaluation(whole, ["nan", "NA", "NA", "NA"], ["NA", "NA", "nan", "NA"])


# --- scores ----------------------------------------------------------------------------------


def test_scores_are_those_computed_by_hand(by_hand):
    # of "nan" 1 of 2 is right, of "NA" 2 of 2; F1 is 2/3 and 4/5
    assert by_hand.pooled == pytest.approx(
        {"uar": 3 / 4, "wa": 3 / 4, "f1_macro": 11 / 15, "f1_weighted": 11 / 15}
    )
    speakers = by_hand.per_speaker
    assert speakers.index.tolist() == ["03", "x"]
    assert speakers["n_utterances"].tolist() == [3, 1]
    assert speakers["uar"].tolist() == [3 / 4, 1]
    assert speakers["wa"].tolist() == pytest.approx([2 / 3, 1])
    assert by_hand.mean_over_speakers["wa"] == pytest.approx(5 / 6)
    assert np.isnan(list(by_hand.spread.values())).all()
    assert by_hand.alternatives.empty


def test_scores_of_several_seeds_by_hand(two_seeds):
    assert two_seeds.per_seed["wa"].to_dict() == {0: 3 / 4, 1: 1 / 4}
    assert two_seeds.pooled["wa"] == 1 / 2
    # recalls of the second seed: NA 1/2, nan 0
    assert two_seeds.pooled["uar"] == (3 / 4 + 1 / 4) / 2
    assert two_seeds.spread["wa"] == pytest.approx(1 / 2 / np.sqrt(2))
    assert two_seeds.per_speaker["wa"].tolist() == pytest.approx([1 / 2, 1 / 2])
    assert two_seeds.per_speaker["n_utterances"].tolist() == [3, 1]
    assert two_seeds.runs().tolist() == [["nan", "NA"], ["NA", "NA"], ["NA", "nan"], ["NA", "NA"]]
    assert two_seeds.utterances["file"].tolist() == ["1.wav", "2.wav", "3.wav", "4.wav"]


def test_pooled_is_the_mean_over_seeds_and_spread_the_standard_deviation(noise):
    evaluation = evaluate(Seeded(), noise, seeds=(0, 1, 2))
    table = evaluation.predictions
    scores = pd.DataFrame(
        [score_predictions(run["label"], run["prediction"]) for _, run in table.groupby("seed")]
    )
    assert scores["uar"].nunique() > 1
    assert evaluation.pooled == pytest.approx(scores.mean().to_dict())
    assert evaluation.spread == pytest.approx(scores.std(ddof=1).to_dict())
    assert evaluation.per_seed.index.tolist() == [0, 1, 2]
    np.testing.assert_allclose(evaluation.per_seed, scores)


def test_intervals_draw_speakers(by_hand, whole):
    assert by_hand.intervals["wa"] == pytest.approx((2 / 3, 1))
    table = whole.predictions
    assert whole.intervals == bootstrap_intervals(
        table["label"], table["prediction"], table["speaker"]
    )
    for score, (low, high) in whole.intervals.items():
        assert low <= whole.pooled[score] <= high


def test_intervals_of_several_seeds_by_hand(whole):
    # Drawn are 03 twice (WA 2/3 and 1/3, mean 1/2), both, or x twice (WA 1 with either seed).
    evaluation = make_evaluation(whole, ["nan", "NA", "NA", "NA"], ["NA", "NA", "NA", "NA"])
    assert evaluation.intervals["wa"] == pytest.approx((1 / 2, 1))


def test_confusion_counts_all_seeds(two_seeds):
    # rows NA, nan; the first seed gives [[2, 0], [1, 1]], the second [[1, 1], [2, 0]]
    assert two_seeds.confusion.to_numpy().tolist() == [[3, 1], [3, 1]]
    assert two_seeds.confusion.index.tolist() == two_seeds.confusion.columns.tolist()
    assert (two_seeds.confusion.index.name, two_seeds.confusion.columns.name) == (
        "label",
        "prediction",
    )


def test_confusion_has_emotions_that_nobody_predicts(whole):
    evaluation = make_evaluation(whole, ["NA"] * 4)
    assert evaluation.confusion["nan"].tolist() == [0, 0]


# --- print -----------------------------------------------------------------------------------


def test_print_says_what_was_held_out(whole):
    text = str(whole)
    assert text.startswith(whole.card)
    assert all(f"speaker {speaker}" in text for speaker in "abcd")
    assert all(name in text for name in SCORE_NAMES.values())
    pooled, interval = text.splitlines()[-3:-1]
    assert pooled.startswith("pooled  ")
    assert f"{100 * whole.pooled['uar']:.2f}" in pooled
    assert interval.startswith("95 % interval")
    assert CAVEAT not in text
    assert "spread" not in text


def test_the_card_says_how_it_was_made(whole):
    lines = dict(line.split(": ", 1) for line in whole.card.splitlines())
    versions = lines.pop("Versions")
    assert lines == {
        "Corpus": "noise: 36 utterances, 4 speakers, 3 emotions",
        "Protocol": "leave-one-speaker-out, 4 folds",
        "Unseen": "the speaker: each is predicted by a model that was trained on all the others",
        "Model": "StandIn",
        "Seeds": "0",
        "Command": "evaluate(model, corpus, protocol=LeaveOneSpeakerOut(), seeds=[0])",
    }
    assert "skser " in versions
    assert "scikit-learn " in versions


def test_the_command_line_is_the_command(noise, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/skser", "evaluate", "--root", "a b"])
    assert evaluate(StandIn(), noise).settings["command"] == "skser evaluate --root 'a b'"


def test_print_says_how_far_seeds_are_apart(two_seeds):
    (spread,) = [line for line in str(two_seeds).splitlines() if line.startswith("spread, 2 seeds")]
    assert "(all scores are means over 2 seeds)" in str(two_seeds)
    assert f"±{100 / 2 / np.sqrt(2):.2f}" in spread
    assert "Seeds: 0, 1" in two_seeds.card


@pytest.mark.parametrize("n_speakers", [1, 2, 5, 6])
def test_print_says_if_an_interval_comes_from_few_speakers(whole, n_speakers):
    if n_speakers == 1:
        run = make_evaluation(whole, ["NA"] * 4, speakers=("a",) * 4)
    else:
        run = evaluate(StandIn(), make_corpus(speakers="abcdef"[:n_speakers]))
    caveat = f"(with {n_speakers} speakers the interval is too narrow)"
    assert (caveat in str(run)) == (1 < n_speakers < 6)


# --- files -----------------------------------------------------------------------------------


def evaluations(whole):
    yield make_evaluation(whole, ["nan", "NA", "NA", "NA"])
    yield make_evaluation(whole, ["nan", "NA", "NA", "NA"], ["NA"] * 4)
    yield whole
    yield evaluate(Seeded(), make_corpus(), seeds=(3, 0))
    yield evaluate(StandIn(), make_corpus(emotions=(10, 2), speakers=("1e3", "007")))
    yield evaluate(StandIn(), make_corpus(emotions=('a"b', "c,d\n", "é"), speakers=(" a", "None")))


@pytest.mark.parametrize("number", range(6))
def test_what_was_saved_is_loaded(whole, tmp_path, number):
    evaluation = [*evaluations(whole)][number]
    evaluation.save(tmp_path)
    loaded = Evaluation.load(tmp_path)
    pd.testing.assert_frame_equal(
        loaded.predictions, evaluation.predictions, check_exact=True, check_column_type=True
    )
    columns = list(evaluation.folds)
    pd.testing.assert_frame_equal(loaded.folds[columns], evaluation.folds, check_exact=True)
    assert loaded.settings == evaluation.settings
    assert loaded == evaluation
    assert loaded.pooled == evaluation.pooled
    assert CAVEAT not in "".join(path.read_text() for path in tmp_path.iterdir())


def test_what_a_model_without_probabilities_gave_is_loaded(noise, tmp_path, monkeypatch):
    monkeypatch.delattr(StandIn, "predict_proba")
    evaluation = evaluate(StandIn(), noise, out=tmp_path)
    assert Evaluation.load(tmp_path) == evaluation


def test_other_evaluations_are_not_equal(whole, by_hand, noise):
    assert by_hand != whole
    assert whole != "an evaluation"
    assert whole != Evaluation(whole.predictions, whole.folds, {**whole.settings, "seeds": [1]})
    assert whole != Evaluation(whole.predictions[::-1], whole.folds, whole.settings)


def test_a_folder_without_an_evaluation_is_named(tmp_path):
    with pytest.raises(EvaluationError, match=rf"'{tmp_path}' holds no finished evaluation"):
        Evaluation.load(tmp_path)


def test_files_hold_the_scores_of_the_seeds(two_seeds, tmp_path):
    two_seeds.save(tmp_path)
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["per_seed"]["1"]["wa"] == 1 / 4
    assert scores["spread"] == two_seeds.spread
    assert scores["pooled_95_percent_interval"]["wa"] == list(two_seeds.intervals["wa"])
    assert (tmp_path / "confusion.csv").read_text().splitlines() == [
        "label \\ prediction,NA,nan",
        "NA,3,1",
        "nan,3,1",
    ]


def test_one_speaker_has_no_interval_in_files(tmp_path):
    corpus = make_corpus(speakers=("a", "b", "c"))  # north: a, south: b and c
    evaluation = evaluate(StandIn(), corpus, protocol=CorpusToCorpus(test="north"), out=tmp_path)
    text = (tmp_path / "scores.json").read_text()
    scores = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert scores["pooled_95_percent_interval"] is None
    assert "spread" not in scores
    assert "nan-nan" in str(evaluation)


def test_a_folder_of_an_earlier_form_is_refused(tmp_path):
    for name in ("predictions.csv", "folds.csv"):
        (tmp_path / name).write_text("file,speaker,label,prediction\na,b,c,d\n")
    with pytest.raises(EvaluationError, match=r"no evaluation that this version .* can read"):
        Evaluation.load(tmp_path)
