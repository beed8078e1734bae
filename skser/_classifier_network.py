"""The network of a classifier: built from its parameters, and told the scale of its input."""

from typing import TYPE_CHECKING, Any

from ._moments import mean_and_scale
from ._process import start_keras
from .training import MFCCs

if TYPE_CHECKING:
    from scikeras.wrappers import KerasClassifier

    from .classifier import LightSERNetClassifier

# The parameters, beside the paths, that the compiled network is built from.
_OF_NETWORK = (
    *("loss", "gamma", "dropout", "l2", "weight_decay", "precision"),
    *("standardize", "batch_norm_momentum"),
)


def network_params(classifier: "LightSERNetClassifier") -> dict[str, Any]:
    """Return the parameters that the compiled network is built from."""
    params = {name: getattr(classifier, name) for name in _OF_NETWORK}
    return {"paths": tuple(classifier.paths), **params}


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
