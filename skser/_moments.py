"""Mean and scale of each coefficient."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def mean_and_scale(X: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute the mean and the standard deviation of each coefficient over all frames.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc) arrays
        MFCCs.

    Returns
    -------
    mean, scale : ndarray of shape (n_mfcc,), dtype float32
        The scale is 1 where a coefficient never changes.
    """
    n_frames = sum(len(mfcc) for mfcc in X)
    mean = sum(mfcc.sum(axis=0, dtype=np.float64) for mfcc in X) / n_frames
    variance = sum(((mfcc - mean) ** 2).sum(axis=0) for mfcc in X) / n_frames
    scale = np.where(variance > 0, np.sqrt(variance), 1)
    return mean.astype(np.float32), scale.astype(np.float32)
