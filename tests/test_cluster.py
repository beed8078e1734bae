"""Searches on Dask: a scheduler and two workers in processes of their own, one of them killed."""

import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV, GroupKFold
from standin import StandIn

from benchmarks._cluster import start_dask
from skser import evaluate, make_light_sernet, search
from skser.cache import describe_cache
from skser.datasets import make_emotional_speech
from skser.exceptions import EvaluationError

distributed = pytest.importorskip("distributed", reason="needs Dask: pip install 'skser[dask]'")


@contextmanager
def start_cluster(folder):
    """Give a cluster whose workers know the stand-ins of the tests."""
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    with start_dask(folder, PYTHONPATH=os.pathsep.join(paths)) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with start_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


# --- no cluster ------------------------------------------------------------------------------


def test_a_scheduler_that_is_away_is_named():
    with pytest.raises(OSError, match=r"Timed out .* to tcp://127\.0\.0\.1:1 "):
        distributed.Client("tcp://127.0.0.1:1", timeout=1)


def test_a_cluster_without_a_client_is_refused():
    with (
        pytest.raises(ValueError, match="first create a Dask Client"),
        parallel_config(backend="dask"),
    ):
        pass


# --- the search of skser ---------------------------------------------------------------------


class OnWorker(StandIn):
    """A stand-in that is fitted nowhere but on a worker."""

    def fit(self, X, y):
        distributed.get_worker()
        return super().fit(X, y)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_folds_are_trained_by_the_workers_and_written_by_the_caller(
    cluster, noise, tmp_path, n_jobs
):
    with parallel_config(backend="dask"):
        result = search(OnWorker(), noise, {"C": [0.1, 1.0]}, out=tmp_path, n_jobs=n_jobs)
    assert len(list(tmp_path.glob("candidates/*/folds/*/*.json"))) == 2 * 4
    for params, evaluation in zip(result.params, result.evaluations, strict=True):
        alone = evaluate(StandIn(**params), noise)
        pd.testing.assert_frame_equal(evaluation.predictions, alone.predictions)
    resumed = search(OnWorker(), noise, {"C": [0.1, 1.0]}, out=tmp_path, resume=True)
    pd.testing.assert_frame_equal(resumed.results, result.results)


# --- the search of scikit-learn --------------------------------------------------------------


@pytest.fixture(scope="module")
def speech():
    return make_emotional_speech(2, n_utterances=1, random_state=0)


def grid_search(cache):
    model = make_light_sernet(
        duration=0.5, epochs=1, batch_size=7, paths=("spectral",), random_state=0, cache=cache
    )
    grid = {"classifier__learning_rate": [1e-3, 1e-2]}
    # The loss of probabilities shows any difference between two models.
    return GridSearchCV(model, grid, cv=GroupKFold(2), scoring="neg_log_loss", refit=False)


def find_scores(cache, speech):
    found = grid_search(cache).fit(speech.data, speech.target, groups=speech.groups)
    table = pd.DataFrame(found.cv_results_)
    return table.filter(regex="^split.*_test_score$|^mean_test_score$")


@pytest.fixture(scope="module")
def sequential(cluster, speech):
    """Scores of one worker by itself; what differs is rounding."""
    return cluster.client.submit(find_scores, None, speech).result(timeout=600)


def test_scores_are_those_of_a_sequential_search(cluster, speech, sequential, tmp_path):
    with parallel_config(backend="dask"):
        scores = find_scores(tmp_path / "cache", speech)
    assert np.isfinite(scores).all(axis=None)
    pd.testing.assert_frame_equal(scores, sequential, rtol=1e-5)
    cache = describe_cache(tmp_path / "cache")
    assert cache.misses == len(speech.data)  # two workers, four fits: each is computed once
    assert cache.hits == (4 - 1) * len(speech.data)


# --- processes that are killed ---------------------------------------------------------------


def test_a_search_goes_on_without_a_worker_that_is_killed(cluster, speech, sequential, tmp_path):
    victim = cluster.workers[0]

    def kill():
        while not list(tmp_path.glob("cache/entries/*/*")):  # both have begun by then
            time.sleep(0.05)
        victim.send_signal(signal.SIGKILL)

    killer = Thread(target=kill, daemon=True)
    killer.start()
    # Each worker has a copy of the labels from the start, so that none is the only one.
    with parallel_config(backend="dask", scatter=[speech.target]):
        scores = find_scores(tmp_path / "cache", speech)
    killer.join()
    assert victim.wait() == -signal.SIGKILL
    assert len(cluster.client.scheduler_info()["workers"]) == 1
    pd.testing.assert_frame_equal(scores, sequential, rtol=1e-5)


class Slow(StandIn):
    """A stand-in that takes its time."""

    def fit(self, X, y):
        time.sleep(1)
        return super().fit(X, y)


def test_a_search_resumes_after_its_scheduler_was_lost(noise, tmp_path_factory):
    out = tmp_path_factory.mktemp("search")

    def folds():
        return list(out.glob("candidates/*/folds/*/*.json"))

    def kill(process):
        while not folds():
            time.sleep(0.05)
        process.kill()

    grid = {"C": [0.1, 1.0]}
    with start_cluster(tmp_path_factory.mktemp("lost")) as cluster:
        Thread(target=kill, args=[cluster.scheduler], daemon=True).start()
        with (
            pytest.raises(EvaluationError, match=r"scheduler of the cluster was lost\. Finished"),
            parallel_config(backend="dask"),
        ):
            search(Slow(), noise, grid, out=out)
    assert 0 < len(folds()) < 2 * 4
    resumed = search(Slow(), noise, grid, out=out, resume=True)
    pd.testing.assert_frame_equal(resumed.results, search(StandIn(), noise, grid).results)
