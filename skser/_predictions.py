"""One training: fit a model on one side of a split, and predict the other."""

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from ._mfcc_input import check_mfcc
from ._parts import parts_of
from ._protocol import Fold
from ._speakers import speaker_params
from .classifier import LightSERNetClassifier
from .training import MFCCs, predict

if TYPE_CHECKING:
    import keras


def predict_fold(
    model: BaseEstimator, corpus: Bunch, fold: Fold, seed: int, caveat: str
) -> dict[str, Any]:
    """Train a model on one side of a split and let it predict the other.

    Parameters
    ----------
    model : estimator
        Is cloned.
    corpus : Bunch
        The corpus.
    fold : Fold
        The split.
    seed : int
        Every `random_state` of the model.
    caveat : str
        Written into the result; if there is one, the epoch is chosen on the test fold.

    Returns
    -------
    result : dict
        Predictions and what is known of the training, as plain JSON.
    """
    start = perf_counter()
    model = with_seed(model, seed)
    if find_network(model) is None:
        predicted = _predict(model, corpus, fold)
    else:
        predicted = _predict_by_network(model, corpus, fold, knows_test_fold=bool(caveat))
    return {
        "seed": seed,
        "fold": fold.name,
        **({"caveat": caveat} if caveat else {}),
        "n_train": len(fold.train),
        "n_test": len(fold.test),
        **predicted,
        "seconds": perf_counter() - start,
    }


def with_seed(model: BaseEstimator, seed: int) -> BaseEstimator:
    """Clone a model and set its seeds.

    Parameters
    ----------
    model : estimator
        The model.
    seed : int
        Every `random_state` of the clone.

    Returns
    -------
    clone : estimator
        Not fitted.
    """
    return clone(model).set_params(**dict.fromkeys(seed_params(model), seed))


def seed_params(model: BaseEstimator) -> list[str]:
    """Return the names of a model's parameters that are seeds.

    Parameters
    ----------
    model : estimator
        The model.

    Returns
    -------
    names : list of str
        Such as "classifier__random_state".
    """
    return [name for name in model.get_params() if name.split("__")[-1] == "random_state"]


def find_network(model: BaseEstimator) -> LightSERNetClassifier | None:
    """Return the network of a model, if the model is one or a Pipeline that ends in one.

    Parameters
    ----------
    model : estimator
        Any model.

    Returns
    -------
    classifier : LightSERNetClassifier or None
        None if the model is another one.
    """
    last = model.steps[-1][1] if isinstance(model, Pipeline) else model
    return last if isinstance(last, LightSERNetClassifier) else None


def holds_network(model: BaseEstimator) -> bool:
    """Tell whether a model is, or has in any of its parts, the network.

    Parameters
    ----------
    model : estimator
        Any model, such as a search over Pipelines.

    Returns
    -------
    holds : bool
        Whether Keras will be needed.
    """
    return any(isinstance(part, LightSERNetClassifier) for part in parts_of(model))


def take_utterances(
    corpus: Bunch, rows: NDArray[np.intp] | Sequence[int]
) -> tuple[list, NDArray, NDArray]:
    """Return some utterances of a corpus.

    Parameters
    ----------
    corpus : Bunch
        The corpus.
    rows : sequence of int
        Which utterances.

    Returns
    -------
    data : list
        Recordings or waveforms.
    target, groups : ndarray
        Emotions and speakers.
    """
    return [corpus.data[row] for row in rows], corpus.target[rows], corpus.groups[rows]


def _predict(model: BaseEstimator, corpus: Bunch, fold: Fold) -> dict[str, Any]:
    data, target, groups = take_utterances(corpus, fold.train)
    model.fit(data, target, **speaker_params(model, groups))
    unheard, _, _ = take_utterances(corpus, fold.test)
    with_probabilities = hasattr(model, "predict_proba")
    chosen = getattr(model, "best_params_", None)  # by a search
    return {
        **({"best_params": str(chosen)} if chosen is not None else {}),
        "classes": model.classes_.tolist(),
        "predictions": model.predict(unheard).tolist(),
        "probabilities": model.predict_proba(unheard).tolist() if with_probabilities else None,
    }


def _predict_by_network(
    model: BaseEstimator, corpus: Bunch, fold: Fold, *, knows_test_fold: bool
) -> dict[str, Any]:
    """Step through a Pipeline, so that features are computed once and an epoch can be judged."""
    data, target, groups = take_utterances(corpus, fold.train)
    unheard, truth, _ = take_utterances(corpus, fold.test)
    *features, classifier = [step for _, step in getattr(model, "steps", [("", model)])]
    for transformer in features:
        if transformer not in (None, "passthrough"):
            told = speaker_params(transformer, groups)
            data = transformer.fit_transform(data, target, **told)
            unheard = transformer.transform(unheard)
    judge = None
    if knows_test_fold:
        judge = _TestFoldJudge(unheard, truth, target, classifier)
        classifier.set_params(patience=None)  # all epochs stand for election, the last one too
    if judge:
        classifier._fit(data, target, groups=groups, judge=judge)
    else:
        classifier.fit(data, target, **speaker_params(classifier, groups))
    probabilities = classifier.predict_proba(unheard)
    rounded = _predict_in_float16(classifier, unheard)

    def _label(probabilities: NDArray) -> list:
        return classifier.classes_[probabilities.argmax(axis=1)].tolist()

    return {
        "classes": classifier.classes_.tolist(),
        "predictions": _label(probabilities),
        "predictions_float16": _label(rounded),
        **({"predictions_last_epoch": _label(judge.last_epoch)} if judge else {}),
        "probabilities": probabilities.tolist(),
        "epoch": classifier.epoch_,
        "n_parameters": classifier.keras_classifier_.model_.count_params(),
    }


def _predict_in_float16(classifier: LightSERNetClassifier, X: MFCCs) -> NDArray[np.float32]:
    """Predict with weights rounded to float16, as the paper does (section 3.2)."""
    network = classifier.keras_classifier_.model_
    weights = network.get_weights()
    network.set_weights([weight.astype(np.float16) for weight in weights])
    probabilities = classifier.predict_proba(X)
    network.set_weights(weights)
    return probabilities


class _TestFoldJudge:
    """Judges an epoch by its accuracy on the test fold, as the published code does."""

    def __init__(
        self, X: MFCCs, truth: NDArray, target: NDArray, classifier: LightSERNetClassifier
    ):
        self._X = X
        self._truth = truth
        self._classes = np.unique(target)
        self._classifier = classifier
        self.last_epoch = np.empty((0, 0), dtype=np.float32)

    def __call__(self, network: "keras.Model") -> float:
        X = check_mfcc(self._classifier, self._X, reset=False)
        self.last_epoch = predict(network, X, batch_size=self._classifier.batch_size)
        labels = self._classes[self.last_epoch.argmax(axis=1)]
        return float(np.mean(labels == self._truth))
