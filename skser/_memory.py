"""Whether a batch fits into memory, asked before a training and not in the middle of it."""

from math import prod
from pathlib import Path

import numpy as np

from .augment import Augmentation
from .exceptions import TrainingError
from .training import MFCCs, training_batches

# Measured: what a training step holds at a time for each coefficient of each frame of a batch.
_BYTES = {"float32": 1200, "bfloat16": 530}
_MEMINFO = Path("/proc/meminfo")


def check_batch_fits(
    X: MFCCs, augment: Augmentation | None, *, batch_size: int, precision: str
) -> None:
    """Check that a training step on the largest batch fits into the memory that is free.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc) arrays
        MFCCs of the training utterances.
    augment : Augmentation or None
        May take shorter sections.
    batch_size : int
        Number of utterances a step.
    precision : {"float32", "bfloat16"}
        Number format.

    Raises
    ------
    TrainingError
        If it does not, as far as the system says what is free.
    """
    free = _free_memory()
    if augment is not None and augment.n_frames is not None:
        n_samples, n_frames = min(batch_size, len(X)), augment.n_frames
    else:
        batches = training_batches(X, np.arange(len(X)), batch_size, np.random.default_rng(0))
        sizes = [(len(batch), min(len(X[row]) for row in batch)) for batch in batches]
        n_samples, n_frames = max(sizes, key=prod)
    needed = n_samples * n_frames * X[0].shape[1] * _BYTES[precision]
    if free is not None and needed > free:
        raise TrainingError(
            f"A training step on {n_samples} utterances of {n_frames} frames takes about "
            f"{needed / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} are free; lower the "
            f"'batch_size' parameter. Got {batch_size!r}."
        )


def _free_memory() -> int | None:
    """Return the bytes that can be taken without swapping; None where Linux does not say."""
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return None
    kilobytes = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return 1024 * int(kilobytes[0]) if kilobytes else None
