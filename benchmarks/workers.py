"""Folds side by side on two cores: in processes of joblib, and on two workers of Dask.

Each run has a process of its own, since the threads of TensorFlow cannot be changed once it has
started. The clock is the one on the wall, and includes the start of TensorFlow in the workers.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ._cluster import ONE_THREAD, start_dask
from ._paired import Row, summarise

_ALONE, _SEQUENTIAL, _JOBLIB, _DASK = "one thread", "two threads", "joblib", "dask"
_MAX_ROUNDS = 3  # each takes minutes
_EPOCHS = 20
# TensorFlow's threads and the processes of each way; Dask's workers have their threads already.
_THREADS = {_ALONE: 1, _SEQUENTIAL: 2, _JOBLIB: 1, _DASK: None}
_PROCESSES = {_ALONE: None, _SEQUENTIAL: None, _JOBLIB: 2, _DASK: 2}


def run(repeats: int) -> list[Row]:
    """Compare evaluations of the network on four synthetic speakers, a fold each.

    Parameters
    ----------
    repeats : int
        Number of rounds, at most three.

    Returns
    -------
    rows : list of Row
        The results.
    """
    ways = [_ALONE, _SEQUENTIAL, _JOBLIB, *([_DASK] if find_spec("distributed") else [])]
    rounds = [{way: _measure_apart(way) for way in ways} for _ in range(min(repeats, _MAX_ROUNDS))]

    def row(ours: str, peer: str, what: str, factor: float) -> Row:
        ratios = [factor * of_round[peer][what] / of_round[ours][what] for of_round in rounds]
        named = f"{ours}, two workers: a {what}"
        return summarise("workers", named, peer, np.array(ratios), clock="wall")

    return [
        row(_JOBLIB, _SEQUENTIAL, "fold", 2),  # two of them at a time
        *(row(ours, peer, "run", 1) for ours in ways[2:] for peer in (_SEQUENTIAL, _ALONE)),
    ]


def _measure_apart(how: str) -> dict[str, float]:
    environment = {**os.environ, **({} if how == _SEQUENTIAL else ONE_THREAD)}
    command = [sys.executable, "-m", "benchmarks.workers", how]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    print(how, answer.stdout.strip(), file=sys.stderr)
    return json.loads(answer.stdout)


def measure(how: str) -> dict[str, float]:
    """Return the seconds of a run, and the mean of a fold's, which n_jobs folds share."""
    from joblib import parallel_config

    from skser import evaluate, make_light_sernet
    from skser.datasets import make_emotional_speech

    corpus = make_emotional_speech(4, n_utterances=8)
    model = make_light_sernet(recipe="short", epochs=_EPOCHS)
    with ExitStack() as stack:
        if how == _DASK:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            stack.enter_context(start_dask(Path(folder)))
            stack.enter_context(parallel_config(backend="dask"))
        start = time.perf_counter()
        evaluation = evaluate(model, corpus, n_jobs=_PROCESSES[how], n_threads=_THREADS[how])
        seconds = time.perf_counter() - start
    return {"run": seconds, "fold": float(evaluation.folds["seconds"].mean())}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
