"""The network, compiled and held by a scikeras KerasClassifier."""

from functools import partial
from typing import Any

import keras
import numpy as np
from scikeras.wrappers import KerasClassifier

from .losses import make_loss
from .network import build_light_sernet


def make_keras_classifier(
    n_classes: int,
    *,
    n_mfcc: int,
    loss: str,
    gamma: float,
    weight_decay: float,
    **network_params: Any,
) -> KerasClassifier:
    """Build the network and compile it with Adam.

    Parameters
    ----------
    n_classes : int
        Number of emotions.
    n_mfcc : int
        Number of coefficients a frame.
    loss : {"cross_entropy", "focal"}
        Loss function.
    gamma : float
        Parameter of the focal loss.
    weight_decay : float
        Share of the learning rate by which each step shrinks all weights.
    **network_params : dict
        Other parameters of `build_light_sernet`.

    Returns
    -------
    keras_classifier : KerasClassifier
        Initialised with labels 0 to n_classes - 1; its `model_` is the compiled network.
    """
    build = partial(build_light_sernet, n_classes, n_mfcc=n_mfcc, **network_params)
    keras_classifier = KerasClassifier(
        model=partial(_build_and_compile, build),
        loss=make_loss(loss, gamma),
        # the training loop sets the learning rate
        optimizer=keras.optimizers.Adam(weight_decay=weight_decay or None),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    # scikeras wants one example a class to build from; the network takes any number of frames.
    example = np.zeros((n_classes, 1, n_mfcc), dtype=np.float32)
    return keras_classifier.initialize(example, np.arange(n_classes))


def _build_and_compile(build: partial, compile_kwargs: dict) -> keras.Model:
    network = build()
    network.compile(**compile_kwargs)
    return network
