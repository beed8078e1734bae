"""LightSERNetClassifier: scikit-learn outside, scikeras and Keras inside."""

from contextlib import nullcontext
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import (
    assert_all_finite,
    check_array,
    check_random_state,
    compute_sample_weight,
)
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from ._process import start_keras
from .callbacks import epoch_bar
from .training import MFCCs, predict, train

if TYPE_CHECKING:
    from scikeras.wrappers import KerasClassifier

_PATHS = ("temporal", "spectral", "spectro-temporal")


class LightSERNetClassifier(ClassifierMixin, BaseEstimator):
    """The LIGHT-SERNET network as a scikit-learn classifier of MFCCs.

    Parameters
    ----------
    loss : {"cross_entropy", "focal"}, default="cross_entropy"
        Loss function.
    gamma : float, default=2.0
        How strongly the focal loss plays down what is predicted well; 0 gives cross-entropy.
    epochs : int, default=300
        Number of passes over the training utterances.
    batch_size : int, default=32
        Number of utterances a training step, and at a time in prediction.
    learning_rate : float, default=1e-4
        Initial learning rate of Adam (the highest one under `"cosine"`).
    learning_rate_schedule : {"step", "cosine"} or None, default="step"
        `"step"` multiplies the learning rate by e^-0.15 at epochs 60, 80, ... (0-based);
        `"cosine"` raises it over a tenth of the epochs, then lowers it to zero; None keeps it.
    dropout : float, default=0.3
        Share of the 320 features that is dropped in training before the last layer.
    l2 : float, default=1e-6
        L2 penalty on the kernels of Body II.
    class_weight : dict of label to float, "balanced" or None, default=None
        Weight of each class in the loss; `"balanced"` weighs classes inversely to their counts.
    paths : tuple of {"temporal", "spectral", "spectro-temporal"}
        The parallel convolutions of Body I, all three by default. Together they have 96 filters,
        however many they are.
    precision : {"float32", "bfloat16"}, default="float32"
        Number format that the convolutions compute in. With `"bfloat16"` (mixed precision) what
        passes between the layers has 8 significant bits; the weights, the statistics of the
        normalisation, the last layer and the loss stay float32. Probabilities then differ by
        rounding, and a training ends in other weights than in float32. It is faster only on
        processors with bfloat16 instructions (AVX512-BF16, AMX, Arm BF16), and slower on others.
    warm_start : bool, default=False
        Whether a second `fit` goes on from the weights of the first. The network's parameters
        must stay as they were; the learning-rate schedule begins anew.
    random_state : int, RandomState instance or None, default=None
        Seeds the initial weights, the dropout and the order of the utterances. With an int,
        `fit` repeats exactly as long as the process computes with the same number of threads.
    verbose : int, default=0
        1 shows a progress bar over the epochs.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    history_ : dict of str to list of float
        `"loss"`, `"accuracy"`, `"learning_rate"` and `"seconds"` of each epoch.
    keras_classifier_ : scikeras.wrappers.KerasClassifier
        Holds the compiled Keras network as its `model_`.
    n_features_in_ : int
        Number of coefficients a frame.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names, only after fitting on a DataFrame.

    See Also
    --------
    make_light_sernet : The Pipeline of MFCCTransformer and this classifier.

    Notes
    -----
    The defaults are the paper's; `make_light_sernet` has a recipe that trains in an eighth of
    the epochs. The number of threads belongs to the process, not to the estimator: TensorFlow
    fixes it when it starts.

    Zero weights do not remove an utterance: it still counts in the statistics of its batch.

    References
    ----------
    A. Aftab, A. Morsali, S. Ghaemmaghami, B. Champagne: "LIGHT-SERNET: A lightweight fully
    convolutional neural network for speech emotion recognition", ICASSP 2022.

    Examples
    --------
    >>> from skser import LightSERNetClassifier, MFCCTransformer
    >>> from skser.datasets import make_emotional_speech
    >>> corpus = make_emotional_speech(n_speakers=2, random_state=0)
    >>> mfcc = MFCCTransformer().fit_transform(corpus.data)
    >>> classifier = LightSERNetClassifier(epochs=1, random_state=0).fit(mfcc, corpus.target)
    >>> classifier.predict_proba(mfcc[:1]).shape
    (1, 7)
    """

    classes_: NDArray[Any]
    keras_classifier_: "KerasClassifier"
    history_: dict[str, list[float]]

    _parameter_constraints: ClassVar[dict] = {
        "loss": [StrOptions({"cross_entropy", "focal"})],
        "gamma": [Interval(Real, 0, None, closed="left")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "learning_rate_schedule": [StrOptions({"step", "cosine"}), None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "l2": [Interval(Real, 0, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "paths": [tuple, list],
        "precision": [StrOptions({"float32", "bfloat16"})],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        loss: str = "cross_entropy",
        gamma: float = 2.0,
        epochs: int = 300,
        batch_size: int = 32,
        learning_rate: float = 1e-4,
        learning_rate_schedule: str | None = "step",
        dropout: float = 0.3,
        l2: float = 1e-6,
        class_weight: dict | str | None = None,
        paths: tuple[str, ...] = _PATHS,
        precision: str = "float32",
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.loss = loss
        self.gamma = gamma
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.dropout = dropout
        self.l2 = l2
        self.class_weight = class_weight
        self.paths = paths
        self.precision = precision
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc)
            MFCCs. Utterances whose lengths differ by less than a tenth share a batch, each cut
            around its middle to the shortest one there. Rows of a 2-D array are taken as
            utterances of one frame.
        y : array-like of shape (n_samples,)
            Emotions; strings or integers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each utterance in the loss.

        Returns
        -------
        self : LightSERNetClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of range, the lengths of `X` and `y` differ, there is only one
            class, or the MFCCs are not finite.
        TrainingError
            If the loss does not stay finite.
        """
        self._validate_params()
        self._check_paths()
        go_on = self.warm_start and hasattr(self, "keras_classifier_")
        if go_on:
            self._check_same_network()
        X = self._check_mfcc(X, reset=not go_on)
        labels = self._check_labels(X, y, go_on=go_on)
        weight = self._combined_weight(sample_weight, X, y)
        random_state = check_random_state(self.random_state)
        network_seed, order_seed = random_state.randint(np.iinfo(np.int32).max, size=2)
        if go_on:
            keras_classifier, earlier = self.keras_classifier_, self.history_
        else:
            self.__dict__.pop("keras_classifier_", None)  # a fit that fails leaves none behind
            keras_classifier, earlier = self._make_keras_classifier(int(network_seed)), {}
        with epoch_bar(self.epochs) if self.verbose else nullcontext():
            history = train(
                keras_classifier.model_,
                X,
                labels,
                weight,
                epochs=self.epochs,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                schedule=self.learning_rate_schedule,
                generator=np.random.default_rng(order_seed),
            )
        self.keras_classifier_ = keras_classifier
        self.history_ = {name: earlier.get(name, []) + values for name, values in history.items()}
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Predict how likely each emotion is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc)
            MFCCs of any number of frames, whatever the number in training.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), dtype float32
            Columns in the order of `classes_`.

        Raises
        ------
        NotFittedError
            If the classifier was not fitted.
        ValueError
            If the number of coefficients differs from that in training.
        """
        check_is_fitted(self)
        X = self._check_mfcc(X, reset=False)
        return predict(self.keras_classifier_.model_, X, batch_size=self.batch_size)

    def predict(self, X: Any) -> NDArray:
        """Predict the most likely emotion.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc)
            MFCCs, as in `predict_proba`.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            One of `classes_` for each utterance.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def _make_keras_classifier(self, seed: int) -> "KerasClassifier":
        start_keras()
        from ._scikeras import make_keras_classifier

        self._network_params = self._get_network_params()
        return make_keras_classifier(
            len(self.classes_), n_mfcc=self.n_features_in_, seed=seed, **self._network_params
        )

    def _get_network_params(self) -> dict[str, Any]:
        """Return the parameters that the compiled network is built from."""
        names = ("loss", "gamma", "dropout", "l2", "precision")
        return {"paths": tuple(self.paths), **{name: getattr(self, name) for name in names}}

    def _check_same_network(self) -> None:
        for name, value in self._get_network_params().items():
            if value != (first := self._network_params[name]):
                raise ValueError(
                    f"With warm_start=True the {name!r} parameter of {type(self).__name__} must "
                    f"stay as in the first fit ({first!r}). Got {value!r} instead."
                )

    def _check_paths(self) -> None:
        named = all(isinstance(path, str) for path in self.paths) and {*self.paths} <= {*_PATHS}
        if not self.paths or not named or len({*self.paths}) < len(self.paths):
            raise ValueError(
                f"The 'paths' parameter of {type(self).__name__} must be a tuple of one to three "
                f"different names among {_PATHS}. Got {self.paths!r} instead."
            )

    def _check_labels(self, X: MFCCs, y: ArrayLike, *, go_on: bool) -> NDArray[np.int64]:
        """Set `classes_` and return the labels as its indices."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        check_consistent_length(X, y)
        classes, labels = np.unique(y, return_inverse=True)
        if go_on:
            if new := sorted({*classes.tolist()} - {*self.classes_.tolist()}):
                raise ValueError(
                    f"With warm_start=True the classes must be those of the first fit. Got the "
                    f"new ones {new}; use a new classifier."
                )
            return np.searchsorted(self.classes_, y)
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes. Got 1 class: '{classes[0]}'."
            )
        self.classes_ = classes
        return labels

    def _combined_weight(
        self, sample_weight: ArrayLike | None, X: MFCCs, y: ArrayLike
    ) -> NDArray[np.float32]:
        """Return the product of sample weights and class weights, as a new array."""
        weight = _check_sample_weight(
            sample_weight, X, dtype=np.float32, copy=True, ensure_non_negative=True
        )
        if self.class_weight is not None:
            by_class = compute_sample_weight(self.class_weight, y)
            if not (np.isfinite(by_class) & (by_class >= 0)).all():
                raise ValueError(
                    f"The 'class_weight' parameter of {type(self).__name__} must hold finite "
                    f"weights of at least 0. Got {self.class_weight!r} instead."
                )
            weight *= by_class
        return weight

    def _check_mfcc(self, X: Any, *, reset: bool) -> MFCCs:
        """Return finite float32 MFCCs whose last axis is the number of coefficients."""
        if isinstance(X, list | tuple) and len(X) and all(np.ndim(mfcc) == 2 for mfcc in X):
            utterances = [check_array(mfcc, dtype=np.float32) for mfcc in X]
            widths = sorted({mfcc.shape[1] for mfcc in utterances})
            if len(widths) > 1:
                raise ValueError(f"All MFCCs must have as many coefficients. Got {widths}.")
            self._check_n_mfcc(widths[0], reset=reset)
            return utterances
        if getattr(X, "ndim", None) == 3:
            X = check_array(X, dtype=np.float32, allow_nd=True, order="C")
            if X.shape[1] == 0:
                raise ValueError("MFCCs must have at least one frame. Got none.")
            self._check_n_mfcc(X.shape[2], reset=reset)
            return X
        X = validate_data(self, X, reset=reset, dtype=np.float32)
        return X[:, np.newaxis, :]

    def _check_n_mfcc(self, n_mfcc: int, *, reset: bool) -> None:
        if reset:
            self.n_features_in_ = n_mfcc
            self.__dict__.pop("feature_names_in_", None)  # of an earlier fit, on a DataFrame
        elif n_mfcc != self.n_features_in_:
            raise ValueError(
                f"X has {n_mfcc} coefficients a frame, but {type(self).__name__} was fitted with "
                f"{self.n_features_in_}; compute the MFCCs with the same 'n_mfcc'."
            )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "keras_classifier_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        # the common checks' tables have neither frames nor a frequency axis
        tags.classifier_tags.poor_score = True
        return tags
