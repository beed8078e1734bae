"""The network for one speaker: adapted to the moments, the vocal tract and the emotions heard."""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from scipy.special import xlogy

from .training import MFCCs, batches_of_one_length, predict

_SHARPNESS = 10.0  # of the cosines; from 3 to 20 it makes little difference


class _Heard(NamedTuple):
    """What an adapted network makes of the utterances of one speaker."""

    features: NDArray[np.float32]  # (n_samples, 320), before the last layer
    probabilities: NDArray[np.float32]  # (n_samples, n_classes)


def predict_speaker(
    network: keras.Model,
    X: MFCCs,
    *,
    batch_size: int,
    warps: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Predict the utterances of one speaker by the network that is adapted to them.

    The normalisations take the moments of the utterances [1]_; of several vocal tracts that one
    is taken with which the network is surest of its predictions, their entropy on average over
    the utterances being least (in place of the likelihood of [2]_); then each utterance is also
    judged by how near it is to the mean of each class among this speaker's utterances, by the
    probabilities that the network has given them (after [3]_).

    Parameters
    ----------
    network : keras.Model
        The trained network, which stays as it is.
    X : ndarray of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc) arrays
        MFCCs of all the utterances.
    batch_size : int
        Number of utterances at a time.
    warps : ndarray of shape (n_warps, n_mfcc, n_mfcc) or None, default=None
        Vocal tracts to try, of which of equal ones the first is taken; None takes the speaker's
        own.

    Returns
    -------
    probabilities : ndarray of shape (n_samples, n_classes), dtype float32
        How likely each class is.

    References
    ----------
    .. [1] Y. Li, N. Wang, J. Shi, J. Liu, X. Hou: "Revisiting batch normalization for practical
       domain adaptation", ICLR workshop, 2017.
    .. [2] L. Lee, R. C. Rose: "Speaker normalization using efficient frequency warping
       procedures", ICASSP 1996.
    .. [3] J. Liang, D. Hu, J. Feng: "Do we really need to access the source data? Source
       hypothesis transfer for unsupervised domain adaptation", ICML 2020, section 3.3.
    """
    adapted = copy_network(network)
    voices = [X] if warps is None else ([mfcc @ warp for mfcc in X] for warp in warps)
    tried = [_hear(adapted, voice, batch_size) for voice in voices]
    return _weigh_by_nearness(*min(tried, key=_entropy))


def _hear(network: keras.Model, X: MFCCs, batch_size: int) -> _Heard:
    learn_moments(network, X, batch_size)
    last = network.get_layer("emotion")
    features = predict(keras.Model(network.input, last.input), X, batch_size=batch_size)
    return _Heard(features, ops.convert_to_numpy(last(features)))


def _entropy(heard: _Heard) -> float:
    p = heard.probabilities
    return -float(np.mean(np.sum(xlogy(p, p), axis=1)))


def _weigh_by_nearness(
    features: NDArray[np.float32], probabilities: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Multiply probabilities by how near each utterance is to the mean of each class."""
    directions = _unit(features - features.mean(axis=0))
    cosines = directions @ _unit(probabilities.T @ directions).T
    weighted = probabilities * np.exp(_SHARPNESS * cosines)
    return weighted / weighted.sum(axis=1, keepdims=True)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(length, np.finfo(np.float32).tiny)


def copy_network(network: keras.Model) -> keras.Model:
    """Return another network with the same weights."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def learn_moments(network: keras.Model, X: MFCCs, batch_size: int) -> None:
    """Give the normalisations, one after the other, the moments of what reaches them.

    They are those over all the utterances, so that they do not depend on the batches.
    """
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
