"""The folder of an evaluation: what it holds, through every kind of interruption."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, RobustScaler
from sklearn.utils import Bunch
from standin import PowerCut, Seeded, StandIn, assert_same, make_corpus, statistics

from skser import Evaluation, MFCCTransformer, evaluate
from skser._store import describe_model
from skser.exceptions import EvaluationError, FailedFoldWarning
from skser.protocols import SpeakerAndText, SpeakerGroups

RESULTS = {"predictions.csv", "folds.csv", "confusion.csv", "scores.json", "settings.json"}


def interrupt_third_fold(corpus, out, count_fits):
    count_fits.failing = 3
    with pytest.raises(PowerCut, match="the power went"):
        evaluate(StandIn(), corpus, out=out)
    count_fits.fits, count_fits.failing = 0, None


# --- what it holds ---------------------------------------------------------------------------


def test_the_folder_holds_all_results(noise, tmp_path):
    out = tmp_path / "new" / "folder"
    evaluation = evaluate(StandIn(), noise, out=out)
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files == RESULTS | {f"folds/seed-0/{speaker}.json" for speaker in "abcd"}
    scores = json.loads((out / "scores.json").read_text())
    assert scores["pooled"] == evaluation.pooled
    assert scores["mean_over_speakers"] == evaluation.mean_over_speakers
    assert scores["per_speaker"]["a"]["n_utterances"] == 9
    assert scores["unseen"].startswith("the speaker")
    settings = json.loads((out / "settings.json").read_text())
    assert settings["corpus"]["speakers"] == list("abcd")
    assert settings["model"] == {"class": "standin.StandIn", "C": 1.0, "tool": None}
    assert settings["protocol"] == {
        "name": "leave-one-speaker-out",
        "sentence": scores["unseen"],
        "unseen": ["speaker"],
        "parameters": {},
    }
    assert (settings["seeds"], settings["epoch"], settings["keras_backend"]) == ([0], None, None)
    assert settings["command"] == (
        "evaluate(model, corpus, protocol=LeaveOneSpeakerOut(), seeds=[0])"
    )


def test_a_fold_on_disk_says_what_it_is(noise, tmp_path):
    evaluate(StandIn(), noise, out=tmp_path)
    fold = json.loads((tmp_path / "folds" / "seed-0" / "b.json").read_text())
    known = {name: fold[name] for name in ("seed", "fold", "n_train", "n_test", "classes")}
    assert known == {
        "seed": 0,
        "fold": "b",
        "n_train": 27,
        "n_test": 9,
        "classes": ["anger", "fear", "sadness"],
    }
    assert np.shape(fold["probabilities"]) == (9, 3)


def test_speakers_of_any_name_have_a_file_each(tmp_path, count_fits):
    speakers = ("a/b", "a\\b", "a_b", "A_b", "..", "Jürgen", "李", "a b", "nul\ttab")
    corpus = make_corpus(speakers=speakers, n_utterances=1)
    evaluation = evaluate(StandIn(), corpus, out=tmp_path)
    files = {path.name.lower() for path in tmp_path.glob("folds/seed-0/*.json")}
    assert len(files) == len(speakers)
    assert_same(Evaluation.load(tmp_path), evaluation)
    assert_same(evaluate(StandIn(), corpus, out=tmp_path, resume=True), evaluation)
    assert count_fits.fits == len(speakers)


def test_parameters_of_a_protocol_may_be_numbers_of_numpy(noise, tmp_path):
    evaluate(StandIn(), noise, protocol=SpeakerGroups(n_splits=np.int64(2)), out=tmp_path)
    again = evaluate(
        StandIn(), noise, protocol=SpeakerGroups(n_splits=2), out=tmp_path, resume=True
    )
    assert again.settings["protocol"]["parameters"] == {"n_splits": 2}


def test_where_features_are_kept_is_no_setting():
    kept = MFCCTransformer(cache="mfcc", memory_map=True, n_jobs=2)
    assert describe_model(kept) == describe_model(MFCCTransformer())


# --- interruptions ---------------------------------------------------------------------------


def test_a_resumed_run_equals_an_uninterrupted_one(noise, whole, tmp_path, count_fits):
    interrupt_third_fold(noise, tmp_path, count_fits)
    files = sorted(path.name for path in (tmp_path / "folds" / "seed-0").iterdir())
    assert files == ["a.json", "b.json"]
    resumed = evaluate(StandIn(), noise, out=tmp_path, resume=True)
    assert count_fits.fits == 2
    assert_same(resumed, whole)
    assert_same(Evaluation.load(tmp_path), whole)


def test_an_unfinished_folder_is_not_loaded(noise, tmp_path, count_fits):
    interrupt_third_fold(noise, tmp_path, count_fits)
    with pytest.raises(EvaluationError, match="holds no finished evaluation"):
        Evaluation.load(tmp_path)


def test_resuming_a_finished_run_computes_nothing(noise, whole, tmp_path, count_fits):
    evaluate(StandIn(), noise, out=tmp_path)
    again = evaluate(StandIn(), noise, out=tmp_path, resume=True, verbose=1)
    assert count_fits.fits == 4
    assert_same(again, whole)


def test_resuming_an_empty_folder_starts_there(noise, whole, tmp_path):
    assert_same(evaluate(StandIn(), noise, out=tmp_path, resume=True), whole)


KILLED = """
import sys, time
from pathlib import Path

out, here = sys.argv[1:]
sys.path.insert(0, here)
import standin
from skser import evaluate

fit = standin.StandIn.fit

def slow(self, X, y):
    if len(list(Path(out).glob("folds/seed-0/*.json"))) == 2:
        print("in the third fold", flush=True)
        time.sleep(600)
    return fit(self, X, y)

standin.StandIn.fit = slow
evaluate(standin.StandIn(), standin.make_corpus(), out=out)
"""


def test_a_killed_run_is_resumed(noise, whole, tmp_path, count_fits):
    command = [sys.executable, "-c", KILLED, tmp_path, Path(__file__).parent]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "in the third fold\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert_same(evaluate(StandIn(), noise, out=tmp_path, resume=True), whole)
    assert count_fits.fits == 2


def test_a_fold_that_fails_leaves_the_others_alone(noise, whole, tmp_path, monkeypatch):
    fit = StandIn.fit

    def fail(self, X, y):
        if len(X) == 27 and not np.isin(noise.data[0], X[0]).all():
            raise ValueError("this fold is no good")
        return fit(self, X, y)

    monkeypatch.setattr(StandIn, "fit", fail)
    message = r"folds failed: fold '.*ValueError: this fold is no good\. The others are kept"
    with (
        pytest.warns(FailedFoldWarning, match=r"The fold '.' failed; the others go on\. ValueErr"),
        pytest.raises(EvaluationError, match=message) as raised,
    ):
        evaluate(StandIn(), noise, out=tmp_path)
    assert "in fail" in raised.value.__notes__[0]  # the traceback
    assert 0 < len(list(tmp_path.glob("folds/seed-0/*.json"))) < 4
    with pytest.raises(EvaluationError, match="holds no finished evaluation"):
        Evaluation.load(tmp_path)
    monkeypatch.setattr(StandIn, "fit", fit)
    assert_same(evaluate(StandIn(), noise, out=tmp_path, resume=True), whole)


def test_without_a_folder_the_first_failure_ends_the_run(noise, count_fits, monkeypatch):
    monkeypatch.setattr(StandIn, "predict", lambda self, X: 1 / 0)
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        evaluate(StandIn(), noise)
    assert count_fits.fits == 1


def test_a_used_folder_is_not_overwritten(noise, tmp_path, count_fits):
    evaluate(StandIn(), noise, out=tmp_path)
    with pytest.raises(EvaluationError, match=r"already holds an evaluation; resume it \(resume"):
        evaluate(StandIn(), noise, out=tmp_path)
    assert count_fits.fits == 4


# --- other seeds -----------------------------------------------------------------------------


def test_more_seeds_are_added(noise, tmp_path, count_fits):
    evaluate(Seeded(), noise, seeds=(2,), out=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("folds/seed-2/*")}
    both = evaluate(Seeded(), noise, seeds=(0, 2), out=tmp_path, resume=True)
    assert count_fits.fits == 4 + 4
    assert len(before) == 4
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    whole = evaluate(Seeded(), noise, seeds=(0, 2))
    assert_same(both, whole)
    assert_same(Evaluation.load(tmp_path), whole)


def test_no_finished_seed_is_left_out(noise, tmp_path, count_fits):
    both = evaluate(Seeded(), noise, seeds=(0, 1), out=tmp_path)
    again = evaluate(Seeded(), noise, seeds=(1,), out=tmp_path, resume=True)
    assert count_fits.fits == 8
    assert_same(again, both)
    assert_same(Evaluation.load(tmp_path), both)


def test_folds_without_their_settings_are_not_taken(noise, tmp_path):
    evaluate(StandIn(), noise, out=tmp_path)
    (tmp_path / "settings.json").unlink()
    for resume in (False, True):
        with pytest.raises(EvaluationError, match=r"holds folds, but no settings\.json"):
            evaluate(StandIn(C=2.0), noise, out=tmp_path, resume=resume)


@pytest.mark.parametrize("name", ["predictions.csv", "settings.json"])
def test_files_of_something_else_are_not_replaced(noise, tmp_path, count_fits, name):
    mine = tmp_path / name
    mine.write_text('{"mine": 1}')
    with pytest.raises(EvaluationError, match=rf"holds {name} without the settings"):
        evaluate(StandIn(), noise, out=tmp_path)
    with pytest.raises(EvaluationError, match=r"is a file; give a folder"):
        evaluate(StandIn(), noise, out=mine)
    assert count_fits.fits == 0
    with pytest.raises(EvaluationError, match=rf"holds {name} without the settings"):
        evaluate(StandIn(), noise).save(tmp_path)
    assert mine.read_text() == '{"mine": 1}'
    assert list(tmp_path.iterdir()) == [mine]


def test_results_whose_folds_are_gone_are_not_overwritten(noise, tmp_path):
    saved = evaluate(StandIn(), noise)
    saved.save(tmp_path)
    with pytest.raises(EvaluationError, match="already holds an evaluation; resume it"):
        evaluate(StandIn(C=2.0), noise, out=tmp_path)
    assert_same(Evaluation.load(tmp_path), saved)


def test_a_run_that_failed_before_its_first_fold_leaves_the_folder_free(
    noise, tmp_path, count_fits
):
    count_fits.failing = 1
    with pytest.raises(PowerCut, match="the power went"):
        evaluate(StandIn(), noise, out=tmp_path)
    assert evaluate(StandIn(C=2.0), noise, out=tmp_path).settings["model"]["C"] == 2.0


def test_models_of_other_parts_or_order_are_not_mixed(noise, tmp_path):
    def pipeline(*scalers):
        steps = [FunctionTransformer(statistics), *scalers, LogisticRegression()]
        return Pipeline([(f"step{n}", step) for n, step in enumerate(steps)])

    evaluate(pipeline(MinMaxScaler()), noise, out=tmp_path)
    with pytest.raises(EvaluationError, match=r"model\.step1 was '.*MinMaxScaler', now '.*Robust"):
        evaluate(pipeline(RobustScaler()), noise, out=tmp_path, resume=True)


def test_what_a_function_closes_over_is_not_mixed(noise, tmp_path):
    def scaled(factor):
        scale = FunctionTransformer(lambda X: factor * statistics(X))
        return Pipeline([("scale", scale), ("classifier", LogisticRegression())])

    evaluate(scaled(1), noise, out=tmp_path)
    with pytest.raises(EvaluationError, match=r"other settings, .*model\.scale__func was"):
        evaluate(scaled(2), noise, out=tmp_path, resume=True)


def test_a_finished_run_keeps_how_it_was_made(noise, tmp_path):
    first = evaluate(StandIn(), noise, out=tmp_path, n_threads=1)
    again = evaluate(StandIn(), noise, out=tmp_path, n_threads=2, resume=True)
    assert again.settings["processors"] == first.settings["processors"]


def test_an_interrupted_run_of_more_seeds_is_not_finished(noise, tmp_path, count_fits):
    evaluate(Seeded(), noise, seeds=(0,), out=tmp_path)
    count_fits.failing = 6
    with pytest.raises(PowerCut, match="the power went"):
        evaluate(Seeded(), noise, seeds=(0, 1), out=tmp_path, resume=True)
    with pytest.raises(EvaluationError, match="holds no finished evaluation"):
        Evaluation.load(tmp_path)


def test_results_that_are_half_written_are_not_loaded(whole, tmp_path, monkeypatch):
    def fail(*args):
        raise OSError("the disk is full")

    monkeypatch.setattr("skser.results.write_json", fail)
    with pytest.raises(OSError, match="the disk is full"):
        whole.save(tmp_path)
    with pytest.raises(EvaluationError, match="holds no finished evaluation"):
        Evaluation.load(tmp_path)


# --- other settings --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "change", "difference"),
    [
        (StandIn(C=2.0), {}, r"model\.C was 1\.0, now 2\.0"),
        (LogisticRegression(), {}, r"model\.class was '.*\.StandIn', now '.*\.LogisticRegression'"),
        (StandIn(), {"name": "other"}, r"corpus\.name was 'noise', now 'other'"),
        (StandIn(), {"data": make_corpus().data[::-1]}, r"corpus\.fingerprint differs"),
    ],
    ids=["parameter", "model", "corpus", "waveforms"],
)
def test_folds_of_other_settings_are_not_mixed(noise, tmp_path, model, change, difference):
    evaluate(StandIn(), noise, out=tmp_path)
    before = (tmp_path / "settings.json").read_bytes()
    with pytest.raises(EvaluationError, match=f"other settings, .* resumed: .*{difference}"):
        evaluate(model, Bunch(**{**noise, **change}), out=tmp_path, resume=True)
    assert (tmp_path / "settings.json").read_bytes() == before


def test_folds_of_another_protocol_are_not_mixed(noise, tmp_path):
    evaluate(StandIn(), noise, protocol=SpeakerGroups(n_splits=2), out=tmp_path)
    with pytest.raises(EvaluationError, match=r"protocol\.parameters\.n_splits was 2, now 3"):
        evaluate(StandIn(), noise, protocol=SpeakerGroups(n_splits=3), out=tmp_path, resume=True)


def test_folds_of_other_texts_are_not_mixed(noise, tmp_path):
    texts = noise.frame["text"].to_numpy().copy()
    texts[0] = next(text for text in texts if text != texts[0])
    other = Bunch(**{**noise, "frame": noise.frame.assign(text=texts)})
    run = {
        "protocol": SpeakerAndText(n_speaker_groups=2, n_text_groups=3),
        "out": tmp_path / "text",
        "resume": True,
    }
    evaluate(StandIn(), noise, **run)
    with pytest.raises(EvaluationError, match=r"corpus\.fingerprint differs"):
        evaluate(StandIn(), other, **run)
    run = {"protocol": "leave-one-session-out", "out": tmp_path / "session", "resume": True}
    assert_same(evaluate(StandIn(), noise, **run), evaluate(StandIn(), other, **run))


def test_folds_by_another_column_are_not_mixed(noise, tmp_path):
    run = {"protocol": "leave-one-session-out", "out": tmp_path, "resume": True}
    evaluate(StandIn(), noise, **run)
    other = Bunch(**{**noise, "frame": noise.frame.replace({"session": {2: 3}})})
    with pytest.raises(EvaluationError, match=r"corpus\.fingerprint differs"):
        evaluate(StandIn(), other, **run)


def test_parameters_that_are_functions_or_nan_are_recognised(noise, tmp_path):
    def model():
        def same(X, nothing):  # another function object each time, of the same name
            return X

        return make_pipeline(FunctionTransformer(same, kw_args={"nothing": np.nan}), StandIn())

    first = evaluate(model(), noise, out=tmp_path)
    assert_same(evaluate(model(), noise, out=tmp_path, resume=True), first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda x: x + 1, lambda x: x + 2),
        (np.random.RandomState(0), np.random.RandomState(1)),
        (np.mean, np.std),
    ],
    ids=["lambda", "generator", "function"],
)
def test_resume_refuses_another_function_or_generator(noise, tmp_path, first, second):
    evaluate(StandIn(tool=first), noise, out=tmp_path)
    evaluate(StandIn(tool=first), noise, out=tmp_path, resume=True)
    with pytest.raises(EvaluationError, match=r"cannot be resumed: model\.tool was"):
        evaluate(StandIn(tool=second), noise, out=tmp_path, resume=True)
