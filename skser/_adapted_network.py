"""The network for one speaker: adapted to the moments of the utterances and the vocal tract."""

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from scipy.special import xlogy

from .training import MFCCs, batches_of_one_length, predict


def predict_speaker(
    network: keras.Model,
    X: MFCCs,
    *,
    batch_size: int,
    warps: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Predict the utterances of one speaker by the network that is adapted to them.

    Parameters
    ----------
    network : keras.Model
        The trained network, which stays as it is.
    X : ndarray of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc) arrays
        MFCCs of all the utterances.
    batch_size : int
        Number of utterances at a time.
    warps : ndarray of shape (n_warps, n_mfcc, n_mfcc) or None, default=None
        Vocal tracts to try. The one is taken with which the network is surest of its predictions:
        their entropy, on average over the utterances, is least; of equal ones the first. None
        takes the speaker's own.

    Returns
    -------
    probabilities : ndarray of shape (n_samples, n_classes), dtype float32
        How likely each class is.

    Notes
    -----
    It is vocal-tract normalisation [1]_ by the network's entropy in place of a likelihood.

    References
    ----------
    .. [1] L. Lee, R. C. Rose: "Speaker normalization using efficient frequency warping
       procedures", ICASSP 1996.
    """
    adapted = _copy(network)
    tried = []
    for voice in [X] if warps is None else ([mfcc @ warp for mfcc in X] for warp in warps):
        _learn_moments(adapted, voice, batch_size)
        tried.append(predict(adapted, voice, batch_size=batch_size))
    return min(tried, key=_entropy)


def _entropy(probabilities: NDArray[np.float32]) -> float:
    return -float(np.mean(np.sum(xlogy(probabilities, probabilities), axis=1)))


def adapt_network(network: keras.Model, X: MFCCs, *, batch_size: int) -> keras.Model:
    """Copy a network and give its batch normalisations the moments of some utterances.

    One normalisation after the other gets those of what reaches it, over all the utterances, so
    that they do not depend on the batches.

    Parameters
    ----------
    network : keras.Model
        The trained network, which stays as it is.
    X : ndarray of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc) arrays
        MFCCs of the utterances.
    batch_size : int
        Number of utterances at a time.

    Returns
    -------
    adapted : keras.Model
        The network for these utterances.

    References
    ----------
    Y. Li, N. Wang, J. Shi, J. Liu, X. Hou: "Revisiting batch normalization for practical domain
    adaptation", ICLR workshop, 2017.
    """
    adapted = _copy(network)
    _learn_moments(adapted, X, batch_size)
    return adapted


def _copy(network: keras.Model) -> keras.Model:
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def _learn_moments(network: keras.Model, X: MFCCs, batch_size: int) -> None:
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            before = keras.Model(network.input, layer.input)
            mean, variance = _moments(before, X, batch_size)
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(variance)


def _moments(
    network: keras.Model, X: MFCCs, batch_size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance of each channel of what a network gives for some utterances."""
    sizes, means, variances = [], [], []
    for batch in batches_of_one_length(X, np.arange(len(X)), batch_size):
        images = ops.cast(network(np.stack([X[row] for row in batch]), training=False), "float32")
        mean, variance = ops.moments(images, (0, 1, 2))
        sizes.append(np.prod(images.shape[:3]))
        means.append(ops.convert_to_numpy(mean))
        variances.append(ops.convert_to_numpy(variance))
    mean = np.average(means, axis=0, weights=sizes)
    variance = np.average(variances + (means - mean) ** 2, axis=0, weights=sizes)
    return mean, variance
