"""Trainings side by side, how long they will take, and who is told of the speakers."""

import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn import config_context, get_config
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from standin import EMOTIONS, Seeded, StandIn, assert_same

from skser import Evaluation, evaluate, make_light_sernet
from skser._file_lock import locked_file
from skser._folds import Job, estimate_seconds
from skser.audit import split_corpus
from skser.callbacks import FoldBar, report_epoch
from skser.datasets import make_emotional_speech

# --- side by side ----------------------------------------------------------------------------


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


def test_parallel_folds_equal_sequential_ones(noise, whole, tmp_path):
    for n_threads in (1, 2):  # the second call must not meet the workers of the first
        out = tmp_path / str(n_threads)
        model = Threaded(n_threads=n_threads)
        parallel = evaluate(model, noise, out=out, n_jobs=2, n_threads=n_threads)
        pd.testing.assert_frame_equal(parallel.predictions, whole.predictions, check_exact=True)
        assert parallel.folds["fold"].tolist() == list("abcd")
        assert len(list((out / "folds" / "seed-0").iterdir())) == 4


def test_parallel_seeds_equal_sequential_ones(noise):
    parallel, sequential = (
        evaluate(Seeded(), noise, seeds=(1, 0), protocol="leave-one-session-out", n_jobs=n_jobs)
        for n_jobs in (2, None)
    )
    parallel.settings["processors"] = sequential.settings["processors"]
    assert_same(parallel, sequential)


ENDLESS = """
import os, sys, time
from pathlib import Path
from standin import StandIn, make_corpus
from skser import evaluate
from skser._file_lock import locked_file

class Endless(StandIn):
    def fit(self, X, y):
        with locked_file(Path(sys.argv[1], str(os.getpid())), wait=True):
            time.sleep(60)
            Path(sys.argv[1], "finished").touch()

evaluate(Endless(), make_corpus(), n_jobs=2)
"""


def test_workers_end_with_the_process_that_waits_for_them(tmp_path):
    pytest.importorskip("fcntl", reason="this system does not show that a parent is gone")
    command = [sys.executable, "-c", ENDLESS, tmp_path]
    parent = subprocess.Popen(command, cwd=Path(__file__).parent, stderr=subprocess.DEVNULL)
    while len(locks := list(tmp_path.iterdir())) < 2:
        assert parent.poll() is None
        time.sleep(0.1)
    parent.kill()
    parent.wait()
    for lock in locks:
        with locked_file(lock, wait=True):
            assert not (tmp_path / "finished").exists()


class Reporting(StandIn):
    """A stand-in that has two epochs, the first of which it reports."""

    def fit(self, X, y):
        report_epoch(1, 2, {"loss": 1.5})
        time.sleep(2)  # in a process of its own it is heard by and by
        return super().fit(X, y)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_the_bar_hears_of_epochs_wherever_they_are_fitted(noise, monkeypatch, n_jobs):
    heard = []
    monkeypatch.setattr(FoldBar, "show_epoch", lambda self, *epoch: heard.append(epoch))
    evaluate(Reporting(), noise, protocol="leave-one-session-out", n_jobs=n_jobs, verbose=1)
    assert sorted(heard) == [(0, 1, 2, {"loss": 1.5}), (1, 1, 2, {"loss": 1.5})]


# --- the estimate ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def speech():
    return make_emotional_speech(3, n_utterances=1, random_state=0)


def jobs_of(corpus):
    return [Job(fold, seed=0) for fold in split_corpus(corpus)]


def test_says_how_long_it_will_take(noise, monkeypatch, capsys):
    monkeypatch.setattr("skser._runs.estimate_seconds", lambda *run: 600.0)
    evaluate(StandIn(), noise, verbose=1)
    assert "4 folds to train: about 10 min in all." in capsys.readouterr().err


def test_a_model_without_epochs_has_no_estimate(noise):
    assert estimate_seconds(StandIn(), noise, jobs_of(noise)) is None


@pytest.mark.parametrize("epoch_selection", ["last", "inner"])
def test_estimating_leaves_the_model_alone(speech, epoch_selection):
    model = make_light_sernet(
        duration=0.25, epochs=100, batch_size=16, epoch_selection=epoch_selection
    )
    assert estimate_seconds(model, speech, jobs_of(speech)) > 0
    assert model["classifier"].epochs == 100
    assert model["classifier"].epoch_selection == epoch_selection
    assert not hasattr(model["classifier"], "classes_")


@pytest.mark.parametrize(("batch_size", "n_rows"), [(1, 3), (2, 4), (8, 16), (1000, 36)])
def test_the_estimate_multiplies_an_epoch_of_few_utterances(noise, monkeypatch, batch_size, n_rows):
    heard = []

    def fit(self, X, y, classifier__groups):
        assert len(classifier__groups) == len(X)
        heard.append((len(X), len(set(y)), self["classifier"].epochs))
        self["classifier"].history_ = {"seconds": [9.0, 1.0]}  # the first epoch starts Keras

    model = make_light_sernet(batch_size=batch_size, epochs=10)
    monkeypatch.setattr(type(model), "fit", fit)
    seconds = estimate_seconds(model, noise, jobs_of(noise))
    assert heard == [(n_rows, 3, 2)]
    assert seconds == pytest.approx(10 * (4 * 27) / n_rows)  # epochs x utterances of all folds


# --- models that ask for the speakers --------------------------------------------------------


class Asking(StandIn):
    """A stand-in that keeps the speakers which it is told."""

    __metadata_request__fit: ClassVar = {"groups": True}
    told: ClassVar = []

    def fit(self, X, y, groups=None):
        self.told.append(list(groups))
        return super().fit(X, y)


class Listening(FunctionTransformer):
    """A transformer that keeps the speakers which it is told."""

    __metadata_request__fit: ClassVar = {"groups": True}
    told: ClassVar = []

    def fit(self, X, y=None, groups=None):
        self.told.append(None if groups is None else list(groups))
        return super().fit(X, y)


class Configured(StandIn):
    """A stand-in that predicts one class if metadata routing is enabled."""

    def predict(self, X):
        routed = get_config()["enable_metadata_routing"]
        return np.full(len(X), EMOTIONS[0]) if routed else super().predict(X)


class LeaveOneOut(LeaveOneGroupOut):
    """A splitter that keeps the speakers which it is told."""

    told: ClassVar = []

    def split(self, X, y=None, groups=None):
        self.told.append(list(groups))
        return super().split(X, y, groups)


@pytest.fixture(params=[False, True], ids=["without routing", "with routing"])
def routing(request):
    with config_context(enable_metadata_routing=request.param):
        yield request.param


def training_speakers(corpus):
    return [corpus.groups[fold.train].tolist() for fold in split_corpus(corpus)]


@pytest.mark.parametrize("in_a_pipeline", [False, True])
def test_a_model_is_told_the_training_speakers(noise, whole, routing, in_a_pipeline):
    Asking.told.clear()
    model = make_pipeline(FunctionTransformer(), Asking()) if in_a_pipeline else Asking()
    evaluation = evaluate(model, noise)
    assert Asking.told == training_speakers(noise)
    pd.testing.assert_frame_equal(evaluation.predictions, whole.predictions)


@pytest.mark.parametrize("in_a_pipeline", [False, True])
def test_a_search_splits_by_the_training_speakers(noise, routing, in_a_pipeline):
    LeaveOneOut.told.clear()
    search = GridSearchCV(StandIn(), {"C": [1e-4, 1.0]}, cv=LeaveOneOut())
    model = make_pipeline(FunctionTransformer(), search) if in_a_pipeline else search
    table = evaluate(model, noise).predictions
    first, *others = training_speakers(noise)
    # once more, to see whether the inner splits mix speakers
    assert LeaveOneOut.told == [first, first, *others]
    for fold in split_corpus(noise):
        by_hand = GridSearchCV(StandIn(), {"C": [1e-4, 1.0]}, cv=LeaveOneGroupOut())
        data = [noise.data[row] for row in fold.train]
        by_hand.fit(data, noise.target[fold.train], groups=noise.groups[fold.train])
        expected = by_hand.predict_proba([noise.data[row] for row in fold.test])
        columns = [f"p_{emotion}" for emotion in EMOTIONS]
        np.testing.assert_array_equal(table.loc[fold.test, columns], expected)


def test_steps_before_the_network_are_told_the_speakers_too(speech):
    Listening.told.clear()
    network = make_light_sernet(duration=0.25, epochs=1, batch_size=16)
    network.steps.insert(1, ("listening", Listening()))
    evaluate(network, speech)
    assert Listening.told == training_speakers(speech)


def test_parallel_folds_have_the_configuration_of_the_caller(noise, routing):
    sequential, parallel = (evaluate(Configured(), noise, n_jobs=n) for n in (1, 2))
    assert_frame_equal(parallel.predictions, sequential.predictions)


def test_what_a_search_chose_is_kept(noise, tmp_path):
    search = GridSearchCV(StandIn(), {"C": [1e-4, 1.0]}, cv=LeaveOneGroupOut())
    evaluation = evaluate(search, noise, out=tmp_path)
    assert set(evaluation.folds["best_params"]) <= {"{'C': 0.0001}", "{'C': 1.0}"}
    assert Evaluation.load(tmp_path) == evaluation


def test_a_search_over_the_network_says_its_backend_and_epoch(speech):
    network = make_light_sernet(duration=0.25, epochs=1, batch_size=16)
    search = GridSearchCV(network, {"classifier__dropout": [0.1]}, cv=LeaveOneGroupOut())
    settings = evaluate(search, speech).settings
    assert settings["keras_backend"] == "tensorflow"
    assert settings["epoch"] == "as the model sets it, by training data alone"


def test_the_network_sets_training_speakers_aside(speech, routing):
    model = make_light_sernet(
        duration=0.25, epochs=2, batch_size=16, epoch_selection="inner", random_state=0
    )
    evaluation = evaluate(model, speech)
    (fold, *_) = split_corpus(speech)
    name = "groups" if routing else "classifier__groups"
    model.fit(
        [speech.data[row] for row in fold.train],
        speech.target[fold.train],
        **{name: speech.groups[fold.train]},
    )
    expected = model.predict_proba([speech.data[row] for row in fold.test])
    columns = [f"p_{emotion}" for emotion in speech.target_names]
    np.testing.assert_array_equal(evaluation.predictions.loc[fold.test, columns], expected)
    assert evaluation.folds["epoch"][0] == model["classifier"].epoch_
    assert evaluation.settings["epoch"] == (
        "the last of 2 with the best UAR on training speakers set aside "
        "(20% of them, who are not trained on)"
    )
    assert evaluation.caveat == ""
