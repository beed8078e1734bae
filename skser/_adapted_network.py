"""The network for one speaker: adapted to the moments, the vocal tract and the emotions heard."""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from scipy.special import xlogy

from .training import MFCCs, batches_of_one_length, gather, make_forward, predict

_SHARPNESS = 10.0  # of the cosines; from 5 to 20 it makes little difference


class _Heard(NamedTuple):
    """What an adapted network makes of the utterances of one speaker."""

    features: NDArray[np.float32]  # (n_samples, 320), before the last layer
    probabilities: NDArray[np.float32]  # (n_samples, n_classes)


class _Normalization(NamedTuple):
    """A batch normalisation, and the network up to it."""

    layer: keras.layers.BatchNormalization
    before: keras.Model


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
    probabilities that the network has given them (after [3]_). A single utterance is predicted
    as it is: it does not tell its speaker from its emotion.

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
        Rank the classes; the last step makes them too sure to be taken for frequencies.

    References
    ----------
    .. [1] Y. Li, N. Wang, J. Shi, J. Liu, X. Hou: "Revisiting batch normalization for practical
       domain adaptation", ICLR workshop, 2017.
    .. [2] L. Lee, R. C. Rose: "Speaker normalization using efficient frequency warping
       procedures", ICASSP 1996.
    .. [3] J. Liang, D. Hu, J. Feng: "Do we really need to access the source data? Source
       hypothesis transfer for unsupervised domain adaptation", ICML 2020, section 3.3.
    """
    if len(X) == 1:
        return predict(network, X, batch_size=batch_size)
    adapted = _copy(network)
    normalizations = _find_normalizations(adapted)
    voices = [X] if warps is None else ([mfcc @ warp for mfcc in X] for warp in warps)
    last = adapted.get_layer("emotion")
    before_last = keras.Model(adapted.input, last.input)
    tried = []
    for voice in voices:
        _learn_moments(normalizations, voice, batch_size)
        features = predict(before_last, voice, batch_size=batch_size)
        tried.append(_Heard(features, ops.convert_to_numpy(last(features))))
    return _weigh_by_nearness(*min(tried, key=_entropy))


def _entropy(heard: _Heard) -> float:
    p = heard.probabilities
    return -float(np.mean(np.sum(xlogy(p, p), axis=1)))


def _weigh_by_nearness(
    features: NDArray[np.float32], probabilities: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Multiply probabilities by how near each utterance is to the mean of each class."""
    p = probabilities.astype(np.float64)  # those of a class may all be too small to be squared
    directions = _unit(features.astype(np.float64) - features.mean(axis=0, dtype=np.float64))
    cosines = directions @ _unit(p.T @ directions).T
    weighted = p * np.exp(_SHARPNESS * cosines)
    return (weighted / weighted.sum(axis=1, keepdims=True)).astype(np.float32)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)


def _copy(network: keras.Model) -> keras.Model:
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def _find_normalizations(network: keras.Model) -> list[_Normalization]:
    """Return the batch normalisations in their order, each with what comes before it."""
    return [
        _Normalization(layer, keras.Model(network.input, layer.input))
        for layer in network.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]


def _learn_moments(normalizations: list[_Normalization], X: MFCCs, batch_size: int) -> None:
    """Give the normalisations, one after the other, the moments of what reaches them.

    They are those over all the utterances, so that they do not depend on the batches.
    """
    for layer, before in normalizations:
        mean, variance = _moments(before, X, batch_size)
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(variance)


def _moments(
    network: keras.Model, X: MFCCs, batch_size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance of each channel of what a network gives for some utterances."""
    forward = make_forward(network)
    sizes, means, variances = [], [], []
    for batch in batches_of_one_length(X, np.arange(len(X)), batch_size):
        images = ops.cast(forward(gather(X, batch)), "float32")
        mean, variance = ops.moments(images, (0, 1, 2))
        sizes.append(np.prod(images.shape[:3]))
        means.append(ops.convert_to_numpy(mean))
        variances.append(ops.convert_to_numpy(variance))
    mean = np.average(means, axis=0, weights=sizes)
    variance = np.average(variances + (means - mean) ** 2, axis=0, weights=sizes)
    return mean, variance
