"""Leave-one-speaker-out: against scikit-learn's own, and through every kind of interruption.

Most tests use a stand-in for the network, so that folds take milliseconds.
"""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from pandas.testing import assert_frame_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Bunch

from skser import evaluate, make_light_sernet
from skser._folds import estimate_seconds
from skser.datasets import make_emotional_speech
from skser.evaluation import Evaluation
from skser.exceptions import EvaluationError, MissingClassWarning
from skser.metrics import SCORE_NAMES, SCORING, bootstrap_intervals
from skser.protocols import split_corpus

EMOTIONS = ("anger", "fear", "sadness")
COLUMNS = ["file", "speaker", "label", "prediction"]


def statistics(X):
    """How loud each waveform is and how fast it changes."""
    return np.array([[np.std(x), np.abs(np.diff(x)).mean()] for x in X])


class StandIn(ClassifierMixin, BaseEstimator):
    """A classifier of waveforms that is fitted at once."""

    def __init__(self, *, C=1.0, tool=None):
        self.C = C
        self.tool = tool

    def fit(self, X, y):
        self.model_ = LogisticRegression(C=self.C).fit(statistics(X), y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(statistics(X))

    def predict_proba(self, X):
        return self.model_.predict_proba(statistics(X))


def make_corpus(*, speakers=("a", "b", "c", "d"), emotions=EMOTIONS, n_utterances=3):
    """Make noise whose level tells something of the emotion, in no order of speakers."""
    generator = np.random.default_rng(0)
    rows = [(s, e) for s in speakers for e in range(len(emotions)) for _ in range(n_utterances)]
    rows = [rows[row] for row in generator.permutation(len(rows))]
    return Bunch(
        data=[generator.normal(scale=1 + e, size=generator.integers(10, 30)) for _, e in rows],
        target=np.array([emotions[e] for _, e in rows]),
        groups=np.array([s for s, _ in rows]),
        name="noise",
    )


@pytest.fixture(scope="module")
def corpus():
    return make_corpus()


@pytest.fixture(scope="module")
def whole(corpus):
    """An evaluation that nothing interrupted."""
    return evaluate(StandIn(), corpus)


@pytest.fixture
def count_fits(monkeypatch):
    """Count the fits of StandIn, and raise in the one whose number is in `failing`."""
    fit, count = StandIn.fit, Bunch(fits=0, failing=None)

    def counted(self, X, y):
        count.fits += 1
        if count.fits == count.failing:
            raise RuntimeError("the power went")
        return fit(self, X, y)

    monkeypatch.setattr(StandIn, "fit", counted)
    return count


def assert_same(one, other):
    """Compare evaluations in all but the time that they took."""
    pd.testing.assert_frame_equal(one.predictions, other.predictions, check_exact=True)
    untimed = [table.drop(columns="seconds") for table in (one.folds, other.folds)]
    pd.testing.assert_frame_equal(*untimed)
    assert one.settings == other.settings


def interrupt_third_fold(corpus, out, count_fits):
    count_fits.failing = 3
    with pytest.raises(RuntimeError, match="the power went"):
        evaluate(StandIn(), corpus, out=out)


# --- against scikit-learn --------------------------------------------------------------------


def test_speakers_score_as_cross_validate_says(corpus, whole):
    folds = cross_validate(
        StandIn(),
        corpus.data,
        corpus.target,
        groups=corpus.groups,
        cv=LeaveOneGroupOut(),
        scoring=SCORING,
    )
    assert len(set(folds["test_uar"])) > 1
    for score in SCORING:
        np.testing.assert_allclose(whole.per_speaker[score], folds[f"test_{score}"], rtol=1e-12)
        assert whole.mean_over_speakers[score] == pytest.approx(folds[f"test_{score}"].mean())


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_predictions_are_those_of_cross_val_predict(corpus, whole, method):
    expected = cross_val_predict(
        StandIn(),
        corpus.data,
        corpus.target,
        groups=corpus.groups,
        cv=LeaveOneGroupOut(),
        method=method,
    )
    if method == "predict":
        assert whole.predictions["prediction"].tolist() == expected.tolist()
        assert whole.pooled["wa"] == pytest.approx(np.mean(expected == corpus.target))
    else:
        columns = [f"p_{emotion}" for emotion in EMOTIONS]
        np.testing.assert_array_equal(whole.predictions[columns], expected)


def test_the_network_itself_is_evaluated_on_unheard_speakers():
    speech = make_emotional_speech(2, n_utterances=1, random_state=0)
    model = make_light_sernet(duration=0.25, epochs=1, batch_size=16, random_state=0)
    table = evaluate(model, speech).predictions
    heard = speech.groups == "s01"
    rows, others = np.flatnonzero(heard), np.flatnonzero(~heard)
    model.fit([speech.data[row] for row in rows], speech.target[rows])
    expected = model.predict_proba([speech.data[row] for row in others])
    columns = [f"p_{emotion}" for emotion in speech.target_names]
    np.testing.assert_array_equal(table.loc[~heard, columns], expected)
    assert table["file"].tolist() == speech.frame["file"].tolist()
    np.testing.assert_allclose(table[columns].sum(axis=1), 1, rtol=1e-5)


# --- the tables ------------------------------------------------------------------------------


def test_predictions_keep_the_order_of_the_corpus(corpus, whole):
    table = whole.predictions
    assert list(table) == [*COLUMNS, *(f"p_{emotion}" for emotion in EMOTIONS)]
    assert table["speaker"].tolist() == corpus.groups.tolist()
    assert table["label"].tolist() == corpus.target.tolist()
    assert table["file"].tolist() == [f"utterance {row}" for row in range(len(corpus.data))]


def test_folds_are_counted(whole):
    assert whole.folds[["fold", "n_train", "n_test"]].to_numpy().tolist() == [
        [speaker, 27, 9] for speaker in "abcd"
    ]
    assert (whole.folds["seconds"] > 0).all()


def test_an_emotion_that_the_training_speakers_lack_has_probability_zero():
    corpus = make_corpus()
    keep = (corpus.target != "anger") | (corpus.groups == "b")  # only b is ever angry
    corpus.data = [x for x, kept in zip(corpus.data, keep, strict=True) if kept]
    corpus.target, corpus.groups = corpus.target[keep], corpus.groups[keep]
    with pytest.warns(MissingClassWarning, match="Fold 'b': the training speakers lack anger"):
        table = evaluate(StandIn(), corpus).predictions
    of_b = table["speaker"] == "b"
    probabilities = table[[f"p_{emotion}" for emotion in EMOTIONS]]
    assert (probabilities.loc[of_b, "p_anger"] == 0).all()
    assert (probabilities.loc[~of_b, "p_anger"] > 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert "anger" not in table.loc[of_b, "prediction"].tolist()


def test_a_model_without_probabilities_has_no_columns_of_them(corpus, whole, monkeypatch):
    monkeypatch.delattr(StandIn, "predict_proba")
    table = evaluate(StandIn(), corpus).predictions
    pd.testing.assert_frame_equal(table, whole.predictions[COLUMNS])


@pytest.mark.parametrize(
    ("speakers", "emotions"),
    [((3, 10, 8), EMOTIONS), (("a", "b", "c"), (2, 10, 5)), (("a", "b"), (False, True))],
    ids=["integer speakers", "integer labels", "bool labels"],
)
def test_names_that_are_no_strings_are_written_as_strings(tmp_path, speakers, emotions):
    corpus = make_corpus(speakers=speakers, emotions=emotions)
    evaluation = evaluate(StandIn(), corpus, out=tmp_path)
    table = evaluation.predictions
    assert table["label"].tolist() == [str(label) for label in corpus.target]
    assert list(table.columns[4:]) == [f"p_{emotion}" for emotion in sorted(emotions)]
    assert evaluation.pooled["wa"] == np.mean(table["label"] == table["prediction"]) > 0.4
    assert evaluation.folds["fold"].tolist() == [str(speaker) for speaker in sorted(speakers)]
    assert_same(evaluate(StandIn(), corpus, out=tmp_path, resume=True), evaluation)


def test_missing_integer_labels_are_named():
    corpus = make_corpus(speakers=("a", "b", "c"), emotions=(1, 2))
    corpus.target = np.where(corpus.groups == "a", 7, corpus.target)
    with pytest.warns(MissingClassWarning, match="Fold 'a': the training speakers lack 7, so"):
        evaluate(StandIn(), corpus)


def test_rows_go_by_position_whatever_the_index(corpus, whole):
    order = np.random.default_rng(0).permutation(36)
    columns = {name: pd.Series(corpus[name], index=order) for name in ("data", "target", "groups")}
    table = evaluate(StandIn(), Bunch(**columns)).predictions
    assert_frame_equal(table, whole.predictions)


def test_recordings_are_named_by_their_paths(corpus, whole, tmp_path):
    listening = make_pipeline(FunctionTransformer(read_noise), StandIn())
    paths = Bunch(**{**corpus, "data": [tmp_path / f"{row}.wav" for row in range(36)]})
    for path, noise in zip(paths.data, corpus.data, strict=True):
        soundfile.write(path, noise / 100, 16000, "FLOAT")
    table = evaluate(listening, paths).predictions
    assert table["file"].tolist() == [str(path) for path in paths.data]
    assert table["prediction"].tolist() == whole.predictions["prediction"].tolist()


def read_noise(paths):
    noise = make_corpus().data
    return [noise[int(path.stem)] for path in paths]


# --- scores ----------------------------------------------------------------------------------


@pytest.fixture
def by_hand(whole):
    """Two speakers: `03` has 2 of 3 right, `x` has 1 of 1."""
    predictions = pd.DataFrame(
        {
            "file": ["1.wav", "2.wav", "3.wav", "4.wav"],
            "speaker": ["03", "03", "x", "03"],
            "label": ["nan", "NA", "NA", "nan"],
            "prediction": ["nan", "NA", "NA", "NA"],
            "p_NA": [0.1, 0.7, 2 / 3, 0.1 + 0.2],
            "p_nan": [0.9, 0.3, 1 / 3, 0.7],
        }
    )
    folds = pd.DataFrame(
        {"fold": ["03", "x"], "n_train": [1, 3], "n_test": [3, 1], "seconds": [0.1, 1 / 3]}
    )
    return Evaluation(predictions, folds, whole.settings)


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


def test_intervals_draw_speakers(by_hand, whole):
    assert by_hand.intervals["wa"] == pytest.approx((2 / 3, 1))
    table = whole.predictions
    assert whole.intervals == bootstrap_intervals(
        table["label"], table["prediction"], table["speaker"]
    )
    for score, (low, high) in whole.intervals.items():
        assert low <= whole.pooled[score] <= high


def test_print_says_what_was_held_out(whole):
    text = str(whole)
    assert "noise: 36 utterances, 4 speakers, 3 emotions" in text
    assert "Protocol: leave-one-speaker-out." in text
    assert "Unseen: the speaker: each is predicted by a model that was trained on all the" in text
    assert all(f"speaker {speaker}" in text for speaker in "abcd")
    assert all(name in text for name in SCORE_NAMES.values())
    assert f"{100 * whole.pooled['uar']:.2f}" in text.splitlines()[-2]
    assert text.splitlines()[-1].startswith("95 % interval")


# --- files -----------------------------------------------------------------------------------


def test_the_folder_holds_all_results(corpus, tmp_path):
    out = tmp_path / "new" / "folder"
    evaluation = evaluate(StandIn(), corpus, out=out)
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert files == {
        "predictions.csv",
        "folds.csv",
        "scores.json",
        "settings.json",
        *(f"folds/{speaker}.json" for speaker in "abcd"),
    }
    scores = json.loads((out / "scores.json").read_text())
    assert scores["pooled"] == evaluation.pooled
    assert scores["mean_over_speakers"] == evaluation.mean_over_speakers
    assert scores["per_speaker"]["a"]["n_utterances"] == 9
    assert scores["unseen"].startswith("the speaker")
    settings = json.loads((out / "settings.json").read_text())
    assert settings["corpus"]["speakers"] == list("abcd")
    assert settings["model"] == {"class": "StandIn", "C": 1.0, "tool": None}


def test_what_was_saved_is_loaded(by_hand, whole, tmp_path):
    for evaluation in (by_hand, whole):
        evaluation.save(tmp_path)
        loaded = Evaluation.load(tmp_path)
        pd.testing.assert_frame_equal(loaded.predictions, evaluation.predictions, check_exact=True)
        pd.testing.assert_frame_equal(loaded.folds, evaluation.folds, check_exact=True)
        assert loaded.settings == evaluation.settings
        assert loaded.pooled == evaluation.pooled


def test_an_unfinished_folder_is_not_loaded(corpus, tmp_path, count_fits):
    interrupt_third_fold(corpus, tmp_path, count_fits)
    with pytest.raises(EvaluationError, match="holds no finished evaluation"):
        Evaluation.load(tmp_path)


def test_speakers_of_any_name_have_a_file_each(tmp_path, count_fits):
    speakers = ("a/b", "a\\b", "a_b", "..", "Jürgen", "李", "a b", "nul\ttab")
    corpus = make_corpus(speakers=speakers, n_utterances=1)
    evaluation = evaluate(StandIn(), corpus, out=tmp_path)
    assert len(list((tmp_path / "folds").glob("*.json"))) == len(speakers)
    assert_same(Evaluation.load(tmp_path), evaluation)
    assert_same(evaluate(StandIn(), corpus, out=tmp_path, resume=True), evaluation)
    assert count_fits.fits == len(speakers)


# --- interruptions ---------------------------------------------------------------------------


def test_a_resumed_run_equals_an_uninterrupted_one(corpus, whole, tmp_path, count_fits):
    interrupt_third_fold(corpus, tmp_path, count_fits)
    assert sorted(path.name for path in (tmp_path / "folds").iterdir()) == ["a.json", "b.json"]
    count_fits.fits, count_fits.failing = 0, None
    resumed = evaluate(StandIn(), corpus, out=tmp_path, resume=True)
    assert count_fits.fits == 2
    assert_same(resumed, whole)
    assert_same(Evaluation.load(tmp_path), whole)


def test_resuming_a_finished_run_computes_nothing(corpus, whole, tmp_path, count_fits):
    evaluate(StandIn(), corpus, out=tmp_path)
    again = evaluate(StandIn(), corpus, out=tmp_path, resume=True, verbose=1)
    assert count_fits.fits == 4
    assert_same(again, whole)


def test_resuming_an_empty_folder_starts_there(corpus, whole, tmp_path):
    assert_same(evaluate(StandIn(), corpus, out=tmp_path, resume=True), whole)


KILLED = """
import sys, time
from pathlib import Path

out, here = sys.argv[1:]
sys.path.insert(0, here)
import test_evaluation as tests

fit = tests.StandIn.fit

def slow(self, X, y):
    if len(list(Path(out).glob("folds/*.json"))) == 2:
        print("in the third fold", flush=True)
        time.sleep(600)
    return fit(self, X, y)

tests.StandIn.fit = slow
tests.evaluate(tests.StandIn(), tests.make_corpus(), out=out)
"""


def test_a_killed_run_is_resumed(corpus, whole, tmp_path, count_fits):
    command = [sys.executable, "-c", KILLED, tmp_path, Path(__file__).parent]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "in the third fold\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert_same(evaluate(StandIn(), corpus, out=tmp_path, resume=True), whole)
    assert count_fits.fits == 2


def test_a_used_folder_is_not_overwritten(corpus, tmp_path, count_fits):
    evaluate(StandIn(), corpus, out=tmp_path)
    with pytest.raises(EvaluationError, match=r"already holds an evaluation; resume it \(resume"):
        evaluate(StandIn(), corpus, out=tmp_path)
    assert count_fits.fits == 4


def test_resume_needs_a_folder(corpus):
    with pytest.raises(EvaluationError, match="resume=True needs the folder to go on with"):
        evaluate(StandIn(), corpus, resume=True)


@pytest.mark.parametrize(
    ("model", "change", "difference"),
    [
        (StandIn(C=2.0), {}, r"model\.C was 1\.0, now 2\.0"),
        (LogisticRegression(), {}, r"model\.class was 'StandIn', now 'LogisticRegression'"),
        (StandIn(), {"name": "other"}, r"corpus\.name was 'noise', now 'other'"),
        (StandIn(), {"data": make_corpus().data[::-1]}, r"corpus\.fingerprint was"),
    ],
    ids=["parameter", "model", "corpus", "waveforms"],
)
def test_folds_of_other_settings_are_not_mixed(corpus, tmp_path, model, change, difference):
    evaluate(StandIn(), corpus, out=tmp_path)
    before = (tmp_path / "settings.json").read_bytes()
    with pytest.raises(EvaluationError, match=f"other settings, .* resumed: .*{difference}"):
        evaluate(model, Bunch(**{**corpus, **change}), out=tmp_path, resume=True)
    assert (tmp_path / "settings.json").read_bytes() == before


def test_parameters_that_are_functions_or_nan_are_recognised(corpus, tmp_path):
    def model():
        def same(X, nothing):  # another function object each time, of the same name
            return X

        return make_pipeline(FunctionTransformer(same, kw_args={"nothing": np.nan}), StandIn())

    first = evaluate(model(), corpus, out=tmp_path)
    assert_same(evaluate(model(), corpus, out=tmp_path, resume=True), first)


class Threaded(StandIn):
    """A stand-in that starts TensorFlow, and wants it to have a number of threads."""

    def __init__(self, *, n_threads):
        super().__init__()
        self.n_threads = n_threads

    def fit(self, X, y):
        import tensorflow as tf

        tf.zeros(1)
        assert tf.config.threading.get_intra_op_parallelism_threads() == self.n_threads
        return super().fit(X, y)


def test_parallel_folds_equal_sequential_ones(corpus, whole, tmp_path):
    for n_threads in (1, 2):  # the second call must not meet the workers of the first
        out = tmp_path / str(n_threads)
        model = Threaded(n_threads=n_threads)
        parallel = evaluate(model, corpus, out=out, n_jobs=2, n_threads=n_threads)
        pd.testing.assert_frame_equal(parallel.predictions, whole.predictions, check_exact=True)
        assert parallel.folds["fold"].tolist() == list("abcd")
        assert len(list((out / "folds").iterdir())) == 4


# --- corpora that cannot be evaluated --------------------------------------------------------


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        (make_corpus(speakers=("a",)), r"at least two speakers\. The corpus has 1: a"),
        (make_corpus(emotions=("anger",)), "at least two emotions"),
        (
            Bunch(data=[np.ones(9)] * 3, target=["x", "y"], groups=["a", "b", "c"]),
            r"as many 'data' as 'target' and 'groups'\. Got 3, 2 and 3",
        ),
        (
            Bunch(data=[np.ones(9)] * 2, target=["x", "y"], groups=["a", "b"]),
            r"1 recording\(s\) stand in both training and test data: row 0",
        ),
        (
            Bunch(data=[np.ones(9)] * 2, target=["x", "y"]),
            r"'groups' is missing; make_bunch makes a corpus from a table",
        ),
        (
            Bunch(data=[*np.eye(3)], target=["x", "y", "x"], groups=["a", "b", "a"]),
            r"Fold 'a': the training speakers have only one emotion, y",
        ),
    ],
    ids=[
        "one speaker",
        "one emotion",
        "lengths",
        "waveform twice",
        "no speakers",
        "one emotion in training",
    ],
)
def test_corpora_that_cannot_be_split_are_refused(corpus, message, tmp_path):
    with pytest.raises(EvaluationError, match=message):
        evaluate(StandIn(), corpus, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- the estimate ----------------------------------------------------------------------------


def test_says_how_long_it_will_take(corpus, monkeypatch, capsys):
    monkeypatch.setattr("skser.evaluation.estimate_seconds", lambda *run: 600.0)
    evaluate(StandIn(), corpus, verbose=1)
    assert "folds to train: about 10 min in all." in capsys.readouterr().err


def test_a_model_without_epochs_has_no_estimate(corpus):
    assert estimate_seconds(StandIn(), corpus, list(split_corpus(corpus))) is None


def test_estimating_leaves_the_model_alone():
    speech = make_emotional_speech(2, n_utterances=1, random_state=0)
    model = make_light_sernet(duration=0.25, epochs=100, batch_size=16, random_state=0)
    assert estimate_seconds(model, speech, list(split_corpus(speech))) > 0
    assert model["classifier"].epochs == 100
    assert not hasattr(model["classifier"], "classes_")


@pytest.mark.parametrize(("batch_size", "n_rows"), [(1, 3), (2, 4), (8, 16), (1000, 36)])
def test_the_estimate_multiplies_an_epoch_of_few_utterances(
    corpus, monkeypatch, batch_size, n_rows
):
    heard = []

    def fit(self, X, y):
        heard.append((len(X), len(set(y)), self["classifier"].epochs))
        self["classifier"].history_ = {"seconds": [9.0, 1.0]}  # the first epoch starts Keras

    model = make_light_sernet(batch_size=batch_size, epochs=10)
    monkeypatch.setattr(type(model), "fit", fit)
    folds = list(split_corpus(corpus))
    seconds = estimate_seconds(model, corpus, folds)
    assert heard == [(n_rows, 3, 2)]
    assert seconds == pytest.approx(10 * (4 * 27) / n_rows)  # epochs x utterances of all folds


# --- what cannot be written as JSON ----------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda x: x + 1, lambda x: x + 2),
        (np.random.RandomState(0), np.random.RandomState(1)),
        (np.mean, np.std),
    ],
    ids=["lambda", "generator", "function"],
)
def test_resume_refuses_another_function_or_generator(corpus, tmp_path, first, second):
    evaluate(StandIn(tool=first), corpus, out=tmp_path)
    evaluate(StandIn(tool=first), corpus, out=tmp_path, resume=True)
    with pytest.raises(EvaluationError, match=r"cannot be resumed: model\.tool was"):
        evaluate(StandIn(tool=second), corpus, out=tmp_path, resume=True)


def test_no_processes_is_refused(corpus, tmp_path):
    with pytest.raises(EvaluationError, match="The 'n_jobs' parameter of evaluate"):
        evaluate(StandIn(), corpus, out=tmp_path, n_jobs=0)
    assert list(tmp_path.iterdir()) == []
