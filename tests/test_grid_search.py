"""A search over a grid: its scores, its folder through every interruption, and what it refuses."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from standin import PowerCut, Seeded, StandIn, assert_same, make_corpus, statistics

from skser import Evaluation, SearchResult, evaluate, make_baseline, search
from skser.datasets import make_emotional_speech
from skser.exceptions import EvaluationError, FailedFoldWarning, MixedSpeakersWarning
from skser.metrics import SCORING

GRID = {"C": [1e-4, 0.1, 1.0]}


def assert_same_search(one, other):
    """Compare searches in all but the time that they took and how they were started."""
    assert one.params == other.params
    pd.testing.assert_frame_equal(one.results, other.results, check_exact=True)
    pd.testing.assert_frame_equal(one.failures, other.failures)
    for left, right in zip(one.evaluations, other.evaluations, strict=True):
        for name in ("command", "processors"):
            left.settings[name] = right.settings[name]
        assert_same(left, right)


@pytest.fixture(scope="module")
def searched(noise):
    """A search that nothing interrupted."""
    return search(StandIn(), noise, GRID)


# --- scores ----------------------------------------------------------------------------------


def test_speakers_score_as_grid_search_says(noise, searched):
    by_scikit_learn = GridSearchCV(
        StandIn(), GRID, cv=LeaveOneGroupOut(), scoring=SCORING, refit=False
    ).fit(noise.data, noise.target, groups=noise.groups)
    expected = by_scikit_learn.cv_results_
    table = searched.results
    assert searched.params == expected["params"]
    assert table["param_C"].tolist() == [1e-4, 0.1, 1.0]
    for score in SCORING:
        for kind in ("mean_test", "std_test"):
            np.testing.assert_allclose(table[f"{kind}_{score}"], expected[f"{kind}_{score}"])


def test_each_candidate_is_an_evaluation(noise, searched):
    for params, evaluation in zip(searched.params, searched.evaluations, strict=True):
        alone = evaluate(StandIn(**params), noise)
        pd.testing.assert_frame_equal(evaluation.predictions, alone.predictions)
        assert searched.results["pooled_uar"].tolist().count(alone.pooled["uar"]) >= 1
    assert "Search: candidate 2 of 3 (C=0.1)\n" in searched.evaluations[1].card


def test_candidates_of_a_pipeline_with_other_parts(noise):
    model = make_pipeline(FunctionTransformer(statistics), StandardScaler(), LogisticRegression())
    grid = [
        {"standardscaler": ["passthrough", StandardScaler()]},
        {"logisticregression__C": [1e-3]},
    ]
    result = search(model, noise, grid)
    assert len(result.results) == 3
    assert result.results.loc[3, "param_standardscaler"] is None
    alone = evaluate(model, noise)
    pd.testing.assert_frame_equal(result.evaluations[1].predictions, alone.predictions)


def test_every_candidate_has_every_seed(noise):
    result = search(Seeded(), noise, {"C": [0.1, 1.0]}, seeds=(3, 1))
    assert [evaluation.seeds for evaluation in result.evaluations] == [[3, 1]] * 2
    alone = evaluate(Seeded(C=0.1), noise, seeds=(3, 1))
    pd.testing.assert_frame_equal(result.evaluations[0].predictions, alone.predictions)


def test_candidates_side_by_side_equal_those_one_after_the_other(noise, searched, tmp_path):
    assert_same_search(search(StandIn(), noise, GRID, n_jobs=2, out=tmp_path), searched)


# --- interruptions ---------------------------------------------------------------------------


def test_an_interrupted_search_is_resumed(noise, searched, tmp_path, count_fits):
    count_fits.failing = 6
    with pytest.raises(PowerCut, match="the power went"):
        search(StandIn(), noise, GRID, out=tmp_path)
    assert len(list(tmp_path.glob("candidates/*/folds/seed-0/*.json"))) == 5
    with pytest.raises(EvaluationError, match="holds no finished search"):
        SearchResult.load(tmp_path)
    count_fits.fits, count_fits.failing = 0, None
    resumed = search(StandIn(), noise, GRID, out=tmp_path, resume=True)
    assert count_fits.fits == 7
    assert_same_search(resumed, searched)
    assert_same_search(SearchResult.load(tmp_path), searched)
    search(StandIn(), noise, GRID, out=tmp_path, resume=True)
    assert count_fits.fits == 7


def test_an_interrupted_search_of_more_seeds_has_the_same_for_all(noise, tmp_path, count_fits):
    grid = {"C": [0.1, 1.0]}
    search(Seeded(), noise, grid, out=tmp_path)
    count_fits.failing = 10
    with pytest.raises(PowerCut, match="the power went"):
        search(Seeded(), noise, grid, seeds=(0, 1), out=tmp_path, resume=True)
    count_fits.failing = None
    resumed = search(Seeded(), noise, grid, seeds=(0,), out=tmp_path, resume=True)
    assert count_fits.fits == 8 + 2 + 7
    assert_same_search(resumed, search(Seeded(), noise, grid, seeds=(0, 1)))


KILLED = """
import sys, time
out, here = sys.argv[1:]
sys.path.insert(0, here)
import standin
from skser import search

fit = standin.StandIn.fit

def slow(self, X, y):
    time.sleep(0.02)
    return fit(self, X, y)

standin.StandIn.fit = slow
corpus = standin.make_corpus()
print("ready", flush=True)
search(standin.StandIn(), corpus, {"C": [1e-4, 0.1, 1.0]}, out=out, resume=True)
"""


def test_a_search_that_is_killed_at_any_moment_is_resumed(noise, searched, tmp_path, count_fits):
    generator, n_finished = np.random.default_rng(0), 0
    for _ in range(4):
        command = [sys.executable, "-c", KILLED, tmp_path, Path(__file__).parent]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(generator.uniform(0, 0.15))
            os.killpg(process.pid, signal.SIGKILL)
        folds = list(tmp_path.glob("candidates/*/folds/seed-0/*.json"))
        assert len(folds) >= n_finished
        n_finished = len(folds)
    assert_same_search(search(StandIn(), noise, GRID, out=tmp_path, resume=True), searched)
    assert count_fits.fits == 12 - n_finished
    assert_same_search(SearchResult.load(tmp_path), searched)


def test_the_command_is_killed_with_its_workers_and_resumed(tmp_path):
    out, grid = tmp_path / "out", {"classifier__C": [0.01, 1], "mfcc__n_mfcc": [20, 40]}
    text = "classifier__C=0.01,1;mfcc__n_mfcc=20,40"
    command = [sys.executable, "-c", "from skser.cli import main; main()", "search"]
    options = ["--baseline", "mfcc_svc", "--speakers", "2", "--grid", text]
    run = [*command, *options, "--out", str(out), "--jobs", "2", "--resume"]
    folds: list = []
    with subprocess.Popen(run, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        while process.poll() is None and not folds:
            time.sleep(0.05)
            folds = list(out.glob("candidates/*/folds/seed-0/*.json"))
        os.killpg(process.pid, signal.SIGKILL)
    assert 0 < len(folds) < 8
    corpus = make_emotional_speech(2, random_state=0)
    model = make_baseline("mfcc_svc")
    resumed = search(model, corpus, grid, out=out, resume=True)
    assert_same_search(resumed, search(model, corpus, grid))


# --- folds that fail -------------------------------------------------------------------------


class Choosy(StandIn):
    """A stand-in that cannot be fitted with one C on the training data of one fold."""

    def fit(self, X, y):
        first = make_corpus().data[0]
        if self.C == 0.1 and not any(np.array_equal(x, first) for x in X):
            raise ValueError("this fold is no good")
        return super().fit(X, y)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_fold_that_fails_is_reported_and_the_rest_go_on(noise, searched, tmp_path, n_jobs):
    speaker = noise.groups[0]
    message = (
        rf"The fold '{speaker}' of candidate 2 of 3 \(C=0\.1\) failed; the others go on\. "
        "ValueError: this fold is no good"
    )
    with pytest.warns(FailedFoldWarning, match=message):
        result = search(Choosy(), noise, GRID, out=tmp_path, n_jobs=n_jobs)
    assert result.failures.to_numpy().tolist() == [
        [2, 0, speaker, "ValueError: this fold is no good"]
    ]
    assert result.evaluations[1] is None
    assert result.results.loc[2, "pooled_uar":].isna().all()
    assert result.results.loc[2, "rank"] == 3
    others = [table.results.drop(index=2, columns="rank") for table in (result, searched)]
    pd.testing.assert_frame_equal(*others)
    assert len(list(tmp_path.glob("candidates/02/folds/seed-0/*.json"))) == 3
    assert f"Failed: candidate 2, fold {speaker}, seed 0: ValueError: this fold" in str(result)
    loaded = SearchResult.load(tmp_path)
    pd.testing.assert_frame_equal(loaded.results, result.results)
    pd.testing.assert_frame_equal(loaded.failures, result.failures)


def test_a_fold_that_failed_is_tried_again(noise, searched, tmp_path, monkeypatch, count_fits):
    predict = StandIn.predict

    def fail(self, X):
        if count_fits.fits == 2:
            raise MemoryError("no memory left")
        return predict(self, X)

    monkeypatch.setattr(StandIn, "predict", fail)
    with pytest.warns(FailedFoldWarning, match="MemoryError: no memory left"):
        search(StandIn(), noise, GRID, out=tmp_path)
    count_fits.fits = 2  # the next is the third
    assert_same_search(search(StandIn(), noise, GRID, out=tmp_path, resume=True), searched)
    assert count_fits.fits == 3


def test_a_search_of_which_nothing_is_left_says_so(noise, monkeypatch):
    monkeypatch.setattr(StandIn, "predict", lambda self, X: 1 / 0)
    with pytest.warns(FailedFoldWarning, match="ZeroDivisionError: division by zero"):
        result = search(StandIn(), noise, GRID)
    assert (result.best, result.best_params) == (None, None)
    assert str(result).endswith("No candidate was finished.")
    assert len(result.failures) == 12


class Killer(StandIn):
    """A stand-in that ends its process, as the system does when memory runs out."""

    def fit(self, X, y):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_is_named(noise, tmp_path):
    with pytest.raises(EvaluationError, match="A process that trained a fold was killed, perhaps"):
        search(Killer(), noise, GRID, n_jobs=2, out=tmp_path)


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "grid", "difference"),
    [
        (StandIn(), {"C": [1e-4, 0.1]}, r"grid was .*, now \[\{'C': \[0\.0001, 0\.1\]\}\]"),
        (StandIn(tool=1), GRID, r"model\.tool was None, now 1"),
    ],
    ids=["grid", "model"],
)
def test_other_settings_are_not_mixed(noise, tmp_path, model, grid, difference):
    search(StandIn(), noise, GRID, out=tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(EvaluationError, match=f"other settings, .* resumed: .*{difference}"):
        search(model, noise, grid, out=tmp_path, resume=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("run", [evaluate, lambda *args, **how: search(*args, GRID, **how)])
def test_the_folder_of_a_search_is_not_overwritten(noise, tmp_path, run):
    search(StandIn(), noise, GRID, out=tmp_path)
    with pytest.raises(EvaluationError, match="already holds an evaluation; resume it"):
        run(StandIn(), noise, out=tmp_path)
    shutil.rmtree(tmp_path / "candidates")
    for name in ("settings.json", "results.csv", "failures.csv"):
        Path(tmp_path, name).unlink()
    run(StandIn(), noise, out=tmp_path)


def test_an_evaluation_is_not_resumed_as_a_search(noise, tmp_path):
    evaluate(StandIn(), noise, out=tmp_path)
    with pytest.raises(EvaluationError, match=r"other settings, .* resumed: .*grid was None, now"):
        search(StandIn(), noise, GRID, out=tmp_path, resume=True)
    assert Evaluation.load(tmp_path).seeds == [0]


def test_a_grid_that_is_wrong_is_refused_before_anything_is_written(noise, tmp_path, count_fits):
    with pytest.raises(EvaluationError, match=r"parameters of the model\. Got 'c'; there are C, t"):
        search(StandIn(), noise, {"c": [1.0]}, out=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert count_fits.fits == 0


def test_parameters_of_search_are_called_so(noise):
    for how, name in (({"n_jobs": 0}, "n_jobs"), ({"seeds": ()}, "seeds")):
        with pytest.raises(EvaluationError, match=f"The '{name}' parameter of search must be"):
            search(StandIn(), noise, GRID, **how)
    with pytest.raises(EvaluationError, match="resume=True needs the folder"):
        search(StandIn(), noise, GRID, resume=True)


def test_candidates_that_mix_speakers_inside_are_warned_of(noise):
    model = GridSearchCV(StandIn(), {"C": [0.1, 1.0]})
    grid = {"cv": [3, LeaveOneGroupOut()]}
    with pytest.warns(MixedSpeakersWarning, match=r"GridSearchCV \(cv=3\) mix speakers") as warned:
        search(model, noise, grid)
    assert len([w for w in warned if w.category is MixedSpeakersWarning]) == 1
