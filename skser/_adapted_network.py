"""The network for one speaker: normalised by the speaker's own utterances."""

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from .training import MFCCs, batches_of_one_length, predict


def predict_adapted(
    network: keras.Model, X: MFCCs, *, batch_size: int, rows: NDArray[np.intp] | None = None
) -> NDArray[np.float32]:
    """Predict utterances of one speaker by the network that is adapted to them.

    Parameters
    ----------
    network : keras.Model
        The trained network, which stays as it is.
    X : ndarray of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc) arrays
        MFCCs.
    batch_size : int
        Number of utterances at a time.
    rows : ndarray of int or None, default=None
        The speaker's utterances; None takes all.

    Returns
    -------
    probabilities : ndarray of shape (n_rows, n_classes), dtype float32
        One row an utterance, in their order.
    """
    rows = np.arange(len(X)) if rows is None else rows
    adapted = adapt_network(network, X, batch_size=batch_size, rows=rows)
    return predict(adapted, X, batch_size=batch_size, rows=rows)


def adapt_network(
    network: keras.Model, X: MFCCs, *, batch_size: int, rows: NDArray[np.intp]
) -> keras.Model:
    """Copy a network and give its batch normalisations the moments of some utterances.

    One normalisation after the other gets those of what reaches it, over all the utterances, so
    that they do not depend on the batches.

    Parameters
    ----------
    network : keras.Model
        The trained network, which stays as it is.
    X : ndarray of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc) arrays
        MFCCs.
    batch_size : int
        Number of utterances at a time.
    rows : ndarray of int
        The utterances.

    Returns
    -------
    adapted : keras.Model
        The network for these utterances.

    References
    ----------
    Y. Li, N. Wang, J. Shi, J. Liu, X. Hou: "Revisiting batch normalization for practical domain
    adaptation", ICLR workshop, 2017.
    """
    adapted = keras.models.clone_model(network)
    adapted.set_weights(network.get_weights())
    for layer in adapted.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            before = keras.Model(adapted.input, layer.input)
            mean, variance = _moments(before, X, rows, batch_size)
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(variance)
    return adapted


def _moments(
    network: keras.Model, X: MFCCs, rows: NDArray[np.intp], batch_size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance of each channel of what a network gives for some utterances."""
    sizes, means, variances = [], [], []
    for batch in batches_of_one_length(X, rows, batch_size):
        mfcc = np.stack([X[row] for row in rows[batch]])
        images = ops.cast(network(mfcc, training=False), "float32")
        mean, variance = ops.moments(images, (0, 1, 2))
        sizes.append(np.prod(images.shape[:3]))
        means.append(ops.convert_to_numpy(mean))
        variances.append(ops.convert_to_numpy(variance))
    mean = np.average(means, axis=0, weights=sizes)
    variance = np.average(variances + (means - mean) ** 2, axis=0, weights=sizes)
    return mean, variance
