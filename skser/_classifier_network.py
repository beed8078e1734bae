"""The network of a classifier: built, told the scale of its input, and fitted to a speaker."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ._moments import mean_and_scale
from ._process import start_keras
from ._vocal_tract import vocal_tract_warps
from .epochs import SpeakerPredictor
from .training import MFCCs

if TYPE_CHECKING:
    from scikeras.wrappers import KerasClassifier

    from .classifier import LightSERNetClassifier

# In the range of vocal tracts; the speaker's own, which is in the middle, wins a tie.
_PLACES_TRIED = (0.5, 0.25, 0.75, 0.0, 1.0)

# The parameters, beside the paths, that the compiled network is built from.
_OF_NETWORK = (
    *("loss", "gamma", "dropout", "l2", "weight_decay", "precision"),
    *("standardize", "batch_norm_momentum"),
)


def network_params(classifier: "LightSERNetClassifier") -> dict[str, Any]:
    """Return the parameters that the compiled network is built from."""
    params = {name: getattr(classifier, name) for name in _OF_NETWORK}
    return {"paths": tuple(classifier.paths), **params}


def speaker_predictor(classifier: "LightSERNetClassifier") -> SpeakerPredictor | None:
    """Return how a classifier that adapts predicts the utterances of one speaker, else None."""
    if not classifier.speaker_adaptation:
        return None
    classifier._check_parameters()  # they may have been set after fit
    from ._adapted_network import predict_speaker

    warps = None
    if (augment := classifier.augment) is not None:
        augment._check_parameters()
        if augment.vocal_tract:
            edges = augment.fmin, augment.fmax
            warps = vocal_tract_warps(augment.vocal_tract, classifier.n_features_in_, *edges)
            warps = warps[np.multiply(_PLACES_TRIED, len(warps) - 1).astype(int)]
    return partial(predict_speaker, batch_size=classifier.batch_size, warps=warps)


def make_network(classifier: "LightSERNetClassifier", seed: int) -> "KerasClassifier":
    """Build and compile the network of a classifier that knows its classes and coefficients."""
    start_keras()
    from ._scikeras import make_keras_classifier

    classifier._network_params = network_params(classifier)
    return make_keras_classifier(
        len(classifier.classes_),
        n_mfcc=classifier.n_features_in_,
        seed=seed,
        **classifier._network_params,
    )


def start_network(
    classifier: "LightSERNetClassifier", X: MFCCs, seed: int, *, go_on: bool
) -> "KerasClassifier":
    """Return the network to train: that of the earlier fit, or a new one."""
    if go_on:
        return classifier.keras_classifier_
    keras_classifier = make_network(classifier, seed)
    if classifier.standardize:
        keras_classifier.model_.get_layer("standardization").set_weights(mean_and_scale(X))
    return keras_classifier
