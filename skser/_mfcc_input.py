"""What MFCCs the classifier takes, and the check of them."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from .training import MFCCs


def check_mfcc(estimator: BaseEstimator, X: Any, *, reset: bool) -> MFCCs:
    """Return finite float32 MFCCs whose last axis is the number of coefficients.

    Parameters
    ----------
    estimator : estimator
        Learns the number of coefficients as `n_features_in_`, or has learnt it.
    X : array-like of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc)
        MFCCs; rows of a 2-D array are utterances of one frame.
    reset : bool
        Whether to learn the number of coefficients, or to compare with it.

    Returns
    -------
    mfcc : ndarray of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc) arrays
        The MFCCs.

    Raises
    ------
    ValueError
        If they are not finite, have no frame, or differ in their number of coefficients.
    """
    if isinstance(X, list | tuple) and len(X) and all(np.ndim(mfcc) == 2 for mfcc in X):
        utterances = [check_array(mfcc, dtype=np.float32) for mfcc in X]
        widths = sorted({mfcc.shape[1] for mfcc in utterances})
        if len(widths) > 1:
            raise ValueError(f"All MFCCs must have as many coefficients. Got {widths}.")
        _check_n_mfcc(estimator, widths[0], reset=reset)
        return utterances
    if getattr(X, "ndim", None) == 3:
        X = check_array(X, dtype=np.float32, allow_nd=True, order="C")
        if 0 in X.shape:
            raise ValueError(
                f"MFCCs must have at least one frame and one coefficient. Got shape {X.shape}."
            )
        _check_n_mfcc(estimator, X.shape[2], reset=reset)
        return X
    X = validate_data(estimator, X, reset=reset, dtype=np.float32)
    return X[:, np.newaxis, :]


def _check_n_mfcc(estimator: BaseEstimator, n_mfcc: int, *, reset: bool) -> None:
    if reset:
        estimator.n_features_in_ = n_mfcc
        estimator.__dict__.pop("feature_names_in_", None)  # of an earlier fit, on a DataFrame
    elif n_mfcc != estimator.n_features_in_:
        raise ValueError(
            f"X has {n_mfcc} coefficients a frame, but {type(estimator).__name__} was fitted with "
            f"{estimator.n_features_in_}; compute the MFCCs with the same 'n_mfcc'."
        )
