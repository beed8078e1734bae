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
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ._paired import Row, summarise

_ALONE, _SEQUENTIAL, _JOBLIB, _DASK = "one thread", "two threads", "joblib", "dask"
_MAX_ROUNDS = 3  # each takes minutes
_EPOCHS = 20
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"
)


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
    environment = {**os.environ, **({} if how == _SEQUENTIAL else _ONE_THREAD)}
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
    parallel = how in (_JOBLIB, _DASK)
    with tempfile.TemporaryDirectory() as folder:
        cluster = _start_dask(Path(folder)) if how == _DASK else nullcontext()
        with cluster, parallel_config(backend="dask") if how == _DASK else nullcontext():
            start = time.perf_counter()
            evaluation = evaluate(
                model,
                corpus,
                n_jobs=2 if parallel else None,
                n_threads=None if how == _DASK else 2 if how == _SEQUENTIAL else 1,
            )
            seconds = time.perf_counter() - start
    return {"run": seconds, "fold": float(evaluation.folds["seconds"].mean())}


@contextmanager
def _start_dask(folder: Path) -> Iterator[None]:
    """Give two workers of Dask, in processes of their own."""
    from distributed import Client

    known = folder / "scheduler.json"
    common = ["--scheduler-file", str(known), "--no-dashboard"]
    dask = [sys.executable, "-m", "dask"]
    scheduler = [*dask, "scheduler", *common, "--host", "127.0.0.1", "--port", "0"]
    worker = [*dask, "worker", *common, "--nworkers", "1", "--nthreads", "1"]
    worker += ["--host", "127.0.0.1", "--local-directory", str(folder)]
    processes: list[subprocess.Popen] = []
    with (folder / "log").open("w") as log:
        try:
            for command in (scheduler, worker, worker):
                processes.append(subprocess.Popen(command, stdout=log, stderr=log))
            with Client(scheduler_file=str(known), timeout=60) as client:
                client.wait_for_workers(2, timeout=60)
                yield
        finally:
            for process in reversed(processes):
                process.kill()
                process.wait()


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
