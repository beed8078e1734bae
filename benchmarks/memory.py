"""Memory and throughput of features and training, with ten times the utterances.

The peak is that of private memory (`RssAnon`), which cannot be given back. Pages of a mapped file
count in the resident size as well, but the system drops them when it needs the room.
"""

import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ._paired import Row, summarise

_FEW, _MANY = 10_000, 100_000
_FILES, _STEPS, _BATCH = 200, 10, 32


def run(repeats: int) -> list[Row]:  # noqa: ARG001 - it takes minutes, and memory does not vary
    """Compare 100,000 utterances of 3 s with 10,000, each number in processes of its own.

    Parameters
    ----------
    repeats : int
        Ignored: there is one round.

    Returns
    -------
    rows : list of Row
        The results.
    """
    with tempfile.TemporaryDirectory() as folder:
        few, many = (_measure_apart(n, Path(folder)) for n in (_FEW, _MANY))
    rows = []
    for name in few:
        of_name = {"ours": f"{_MANY:,}: {name}", "peer": f"{_FEW:,}"}
        unit = "times its MB" if name.startswith("memory") else "times a row's time"
        values = np.array([many[name] / few[name]])
        rows.append(summarise("memory", of_name["ours"], of_name["peer"], values, unit=unit))
    return rows


def _measure_apart(n: int, folder: Path) -> dict[str, float]:
    """Measure in a new process, in a cache that holds the features of each file."""
    command = [sys.executable, "-m", "benchmarks.memory", str(n), str(folder)]
    subprocess.run([*command, "fill"], check=True)
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    print(n, answer.stdout.strip(), file=sys.stderr)
    return json.loads(answer.stdout)


def measure(n: int, folder: Path) -> dict[str, float]:
    """Return MB of private memory at its peak and microseconds a row, step by step."""
    from skser import LightSERNetClassifier, MFCCTransformer, training
    from skser._process import start_keras

    paths, results = _synthesise(folder), {}
    transformer = MFCCTransformer(cache=folder / "cache", memory_map=True)
    start_keras(n_threads=1)
    labels = np.arange(n) % 7
    classifier = LightSERNetClassifier(epochs=1, random_state=0)
    # the network itself: its graph and buffers are the same for any number of rows
    classifier.fit(transformer.transform(paths[: 2 * _BATCH]), labels[: 2 * _BATCH])

    def step(name: str, function: Callable) -> object:
        with _Watch() as watch:
            start = time.process_time()
            result = function()
            seconds = time.process_time() - start
        results[f"memory, {name}"] = watch.peak / 1024
        results[f"time, {name}"] = 1e6 * seconds / n
        return result

    many = list(itertools.islice(itertools.cycle(paths), n))
    X = step("features", lambda: transformer.transform(many))
    rows = np.arange(n)

    def stream() -> None:
        for batch in training.training_batches(X, rows, _BATCH, np.random.default_rng(0)):
            training._gather(X, batch)

    step("batches in random order", stream)
    all_batches = training.training_batches
    training.training_batches = lambda *args, **options: itertools.islice(
        all_batches(*args, **options), _STEPS
    )
    step("fit, its first steps", lambda: classifier.fit(X, labels))
    del results["time, fit, its first steps"]  # of a few rows
    return results


class _Watch:
    """The highest private memory of the process, in kB, while a block runs."""

    def __enter__(self) -> "_Watch":
        self.peak = _private_kb()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.01):
            self.peak = max(self.peak, _private_kb())


def _private_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0])


def _synthesise(folder: Path) -> list[str]:
    """Return recordings of noise, 3 s each, which are written once."""
    import soundfile

    paths = [folder / f"{number:04}.wav" for number in range(_FILES)]
    for number, path in enumerate(paths):
        if not path.exists():
            noise = np.random.default_rng(number).normal(scale=0.1, size=48_000)
            soundfile.write(path, noise, 16_000, "PCM_16")
    return [str(path) for path in paths]


def _fill(folder: Path) -> None:
    from skser import MFCCTransformer

    paths = _synthesise(folder)
    time.sleep(2.5)  # younger files are read again each time
    MFCCTransformer(cache=folder / "cache").transform(paths)


if __name__ == "__main__":
    if sys.argv[3:] == ["fill"]:
        _fill(Path(sys.argv[2]))
    else:
        print(json.dumps(measure(int(sys.argv[1]), Path(sys.argv[2]))))
