"""Features: from files and waveforms, beside librosa and tf.signal; threads; memory."""

import tempfile
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import threadpoolctl
from scipy import fft

from skser import MFCCTransformer
from skser.audio import load_audio, prepare_waveform

from ._paired import Row, compare, summarise, time_in_turn

RATE, N_FFT, HOP, N_MELS, N_MFCC, FMIN, FMAX = 16000, 1024, 256, 128, 40, 40.0, 7600.0
N_SAMPLES = 3 * RATE
_BATCH = 32


def recordings(root: Path | None, n_files: int, folder: Path) -> list[str]:
    """Return recordings of EMO-DB, or noise of 1 to 4 s if there is no such folder."""
    if root is not None:
        return sorted(map(str, (root / "wav").glob("*.wav")))[:n_files]
    import soundfile

    generator = np.random.default_rng(0)
    names = [str(folder / f"{n:04}.wav") for n in range(n_files)]
    for name in names:
        noise = generator.normal(scale=0.1, size=generator.integers(RATE, 4 * RATE))
        soundfile.write(name, noise, RATE, "PCM_16")
    return names


def run(root: Path | None, repeats: int, n_files: int) -> list[Row]:
    """Run all comparisons of features.

    Parameters
    ----------
    root : Path or None
        Folder of EMO-DB; None takes noise.
    repeats, n_files : int
        Number of rounds, and of recordings.

    Returns
    -------
    rows : list of Row
        The results.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = recordings(root, n_files, Path(folder))
        waveforms = [load_audio(file) for file in files]
        with threadpoolctl.threadpool_limits(1):
            rows = from_files(files, repeats) + from_waveforms(waveforms, repeats)
            rows += from_cache(files, repeats, Path(folder))
            rows += shares(waveforms, repeats) + linearity(files, repeats)
        return rows + threads(files, repeats) + processes(files, repeats)


def from_files(files: list[str], repeats: int) -> list[Row]:
    """Compare from files, reading included."""
    import librosa

    functions: dict[str, Callable] = {
        "MFCCTransformer, files": lambda: MFCCTransformer().transform(files),
        "librosa.load, librosa.feature.mfcc": lambda: [
            _librosa_mfcc(_fixed(librosa.load(file, sr=RATE)[0])) for file in files
        ],
    }
    return compare("features", functions, repeats=repeats)


def from_cache(files: list[str], repeats: int, folder: Path) -> list[Row]:
    """Compare features that are found in a cache with those that are computed."""
    cached = MFCCTransformer(cache=folder / "cache")
    functions: dict[str, Callable] = {
        "MFCCTransformer(cache=...), found": lambda: cached.transform(files),
        "MFCCTransformer, files": lambda: MFCCTransformer().transform(files),
    }
    return compare("features", functions, repeats=repeats)


def from_waveforms(waveforms: list[np.ndarray], repeats: int) -> list[Row]:
    """Compare from waveforms. The peers get them cut, levelled and padded; ours does that too."""
    ready = np.stack([prepare_waveform(waveform, n_samples=N_SAMPLES) for waveform in waveforms])
    functions: dict[str, Callable] = {
        "MFCCTransformer, waveforms": lambda: MFCCTransformer().transform(waveforms),
        "librosa.feature.mfcc": lambda: [_librosa_mfcc(waveform) for waveform in ready],
    }
    if find_spec("tensorflow"):
        tensorflow_mfcc = _tensorflow_mfcc()
        functions["tf.signal, one graph"] = lambda: [
            tensorflow_mfcc(ready[at : at + _BATCH]) for at in range(0, len(ready), _BATCH)
        ]
    return compare("features", functions, repeats=repeats)


def shares(waveforms: list[np.ndarray], repeats: int) -> list[Row]:
    """Measure the parts of the transform that it cannot do without: its floor."""
    window = np.hamming(N_FFT + 1)[:-1].astype(np.float32)
    cut = [w[max(0, (len(w) - N_SAMPLES) // 2) :][:N_SAMPLES] for w in waveforms]
    views = [np.lib.stride_tricks.sliding_window_view(w, N_FFT)[::HOP] for w in cut]
    frames = max(views, key=len) * window
    spectra = fft.rfft(frames)
    functions = {
        "transform": lambda: MFCCTransformer().transform(waveforms),
        "window": lambda: _for_each(views, lambda view: view * window),
        "real FFT": lambda: _for_each(views, lambda view: fft.rfft(frames[: len(view)])),
        "magnitude": lambda: _for_each(views, lambda view: np.abs(spectra[: len(view)])),
    }
    seconds = time_in_turn(functions, repeats=repeats)
    return [
        summarise("features", part, "MFCCTransformer, waveforms", values, unit="of its time")
        for part, values in _divide(seconds, "transform").items()
    ]


def linearity(files: list[str], repeats: int) -> list[Row]:
    """Compare all files with every other one: twice the time, and only the result's memory."""
    transform, half = MFCCTransformer().transform, files[::2]
    seconds = time_in_turn(
        {"all": lambda: transform(files), "half": lambda: transform(half)}, repeats=repeats
    )
    per_file = seconds["all"] / len(files) / (seconds["half"] / len(half))
    row = summarise("features", "a file of all", "a file of half of them", per_file)
    row.unit = "times its time"
    peaks = [_peak_bytes(lambda part=part: transform(part)) for part in (half, files)]
    result = transform(half[:1]).nbytes * (len(files) - len(half))
    memory = summarise(
        "features",
        "peak memory of more files",
        "the result for them",
        np.array([(peaks[1] - peaks[0]) / max(result, 1)]),
        unit="times its bytes",
        clock="none",
    )
    return [row, memory]


def threads(files: list[str], repeats: int) -> list[Row]:
    """Compare two threads with one, on the wall."""
    functions = {
        f"n_jobs={n}": lambda n=n: MFCCTransformer(n_jobs=n).transform(files) for n in (2, 1)
    }
    rows = compare("features", functions, repeats=repeats, clock="wall")
    return rows + compare("features", functions, repeats=repeats, clock="cpu")


def processes(files: list[str], repeats: int) -> list[Row]:
    """Compare two processes, each with half of the files, with one: what two cores can do."""
    transform = MFCCTransformer().transform
    halves = files[::2], files[1::2]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        functions: dict[str, Callable] = {
            "two processes": lambda: list(pool.map(transform, halves)),
            "one process": lambda: transform(files),
        }
        return compare("features", functions, repeats=repeats, clock="wall")


def _for_each(items: list, function: Callable) -> None:
    """Call a function and let go of the result, as the transform does."""
    for item in items:
        function(item)


def _divide(seconds: dict[str, np.ndarray], whole: str) -> dict[str, np.ndarray]:
    return {name: values / seconds[whole] for name, values in seconds.items() if name != whole}


def _fixed(waveform: np.ndarray) -> np.ndarray:
    import librosa

    return librosa.util.fix_length(waveform, size=N_SAMPLES)


def _librosa_mfcc(waveform: np.ndarray) -> np.ndarray:
    import librosa

    mel = {"n_mels": N_MELS, "fmin": FMIN, "fmax": FMAX, "htk": True, "power": 1.0}
    frames = {"n_fft": N_FFT, "hop_length": HOP, "center": False, "window": "hamming"}
    # librosa.feature.mfcc has a 'norm' of its own, so the matrix keeps its area normalisation:
    # other numbers, the same work
    return librosa.feature.mfcc(y=waveform, sr=RATE, n_mfcc=N_MFCC, **mel, **frames)


def _tensorflow_mfcc() -> Callable:
    import tensorflow as tf

    matrix = tf.signal.linear_to_mel_weight_matrix(N_MELS, N_FFT // 2 + 1, RATE, FMIN, FMAX)

    def mfcc(waveforms: tf.Tensor) -> tf.Tensor:
        window = tf.signal.hamming_window
        spectra = tf.abs(tf.signal.stft(waveforms, N_FFT, HOP, N_FFT, window_fn=window))
        log_mel = tf.math.log(spectra @ matrix + 1e-6)
        coefficients = tf.signal.mfccs_from_log_mel_spectrograms(log_mel)[..., :N_MFCC]
        return tf.clip_by_value(coefficients, -10, 10)

    return tf.function(mfcc, [tf.TensorSpec((None, N_SAMPLES), tf.float32)])


def _peak_bytes(function: Callable) -> int:
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
