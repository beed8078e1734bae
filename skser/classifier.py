"""LightSERNetClassifier: scikit-learn outside, scikeras and Keras inside."""

from contextlib import nullcontext
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from ._classifier_network import speaker_predictor, start_network
from ._memory import check_batch_fits
from ._mfcc_input import check_mfcc
from ._paths import PATHS, check_paths
from ._processor import warn_if_slow
from ._targets import check_labels, combine_weights, make_targets
from ._warm_start import check_warm_start, draw_seeds, join_histories
from .augment import Augmentation
from .callbacks import epoch_bar
from .epochs import BestEpoch, Judge, set_aside
from .training import MFCCs, predict, train

if TYPE_CHECKING:
    from scikeras.wrappers import KerasClassifier


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
        `"step"` multiplies it by e^-0.15 at epochs 60, 80, ... (0-based); `"cosine"` raises it
        over a tenth of the epochs, then lowers it to zero; None keeps it.
    dropout : float, default=0.3
        Share of the 320 features that is dropped in training before the last layer.
    l2 : float, default=1e-6
        L2 penalty on the kernels of Body II.
    weight_decay : float, default=0.0
        Share of the learning rate by which each step shrinks all weights (as AdamW does).
    label_smoothing : float, default=0.0
        Share of each target that is spread evenly over all classes.
    augment : Augmentation or None, default=None
        Random changes of the utterances, drawn anew for each batch.
    standardize : bool, default=False
        Whether the network standardises the coefficients. MFCCs that are not clipped need it.
    batch_norm_momentum : float, default=0.99
        Share that the moving averages of batch normalisation keep at each step. With 0.99 they
        need hundreds of steps to follow, so after a few epochs the network predicts badly.
    speaker_adaptation : bool, default=False
        Whether a prediction takes all utterances that it is given for those of one speaker, and
        adapts to them: it normalises by their moments (padding included) in place of those seen
        in training [2]_; tries five vocal tracts in the range of `augment`, if there is one, whose
        `fmin` and `fmax` must be those of the MFCCs [3]_; and multiplies the probabilities by e
        to 10 times the cosine to the mean of each class [4]_. It needs several utterances (one is
        predicted as without), no labels, and about fifty times the time. Training is the same, so
        it may be set after `fit`. `evaluate` allows it under `SpeakerAdaptation` alone; `score`
        and scikit-learn's `cross_validate` do not see whether speakers are mixed.
    class_weight : dict of label to float, "balanced" or None, default=None
        Weight of each class in the loss; `"balanced"` is inverse to their counts.
    paths : tuple of {"temporal", "spectral", "spectro-temporal"}
        The parallel convolutions of Body I, by default all three; they have 96 filters in all.
    precision : {"float32", "bfloat16"}, default="float32"
        Number format that the convolutions compute in. With `"bfloat16"` (mixed precision) what
        passes between the layers has 8 significant bits; the weights, the statistics of the
        normalisation, the last layer and the loss stay float32. Probabilities then differ by
        rounding, and a training ends in other weights than in float32. It is faster only on
        processors with bfloat16 instructions (AVX512-BF16, AMX, Arm BF16); `fit` warns on others.
    epoch_selection : {"last", "inner"}, default="last"
        Which epoch's weights are kept. `"inner"` sets some of the training speakers aside, which
        `fit` must be told as `groups`, trains on the others, and keeps the epoch (of equal ones
        the last) with the best unweighted average recall on those set aside.
    validation_fraction : float, default=0.2
        Share of the training speakers that `"inner"` sets aside; at least one is.
    patience : int or None, default=None
        Epochs without a better or equal recall after which `"inner"` stops; None never stops.
    warm_start : bool, default=False
        Whether a second `fit` goes on from the first; the network's parameters must stay.
    random_state : int, RandomState instance or None, default=None
        Seeds the initial weights, the dropout and the order of the utterances. With an int,
        `fit` repeats exactly at the same number of threads.
    verbose : int, default=0
        1 shows a progress bar over the epochs.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    epoch_ : int
        The epoch of the last `fit` whose weights were kept; the first is 1.
    history_ : dict of str to list of float
        `"loss"`, `"accuracy"`, `"learning_rate"` and `"seconds"` of each epoch, with
        `epoch_selection="inner"` also `"selection_score"`.
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
    The defaults are the paper's; `make_light_sernet` has recipes. The number of threads belongs
    to the process: TensorFlow fixes it when it starts.

    Zero weights do not remove an utterance: it still counts in the statistics of its batch.

    References
    ----------
    .. [1] A. Aftab, A. Morsali, S. Ghaemmaghami, B. Champagne: "LIGHT-SERNET: A lightweight fully
       convolutional neural network for speech emotion recognition", ICASSP 2022.
    .. [2] Y. Li, N. Wang, J. Shi, J. Liu, X. Hou: "Revisiting batch normalization for practical
       domain adaptation", ICLR workshop, 2017.
    .. [3] L. Lee, R. C. Rose: "Speaker normalization using efficient frequency warping
       procedures", ICASSP 1996.
    .. [4] J. Liang, D. Hu, J. Feng: "Do we really need to access the source data? Source
       hypothesis transfer for unsupervised domain adaptation", ICML 2020.

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
    epoch_: int

    # The speakers reach fit in a Pipeline whether metadata routing is enabled or not.
    __metadata_request__fit: ClassVar[dict] = {"groups": True}

    _parameter_constraints: ClassVar[dict] = {
        "loss": [StrOptions({"cross_entropy", "focal"})],
        "gamma": [Interval(Real, 0, None, closed="left")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "learning_rate_schedule": [StrOptions({"step", "cosine"}), None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "l2": [Interval(Real, 0, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "augment": [Augmentation, None],
        "standardize": ["boolean"],
        "batch_norm_momentum": [Interval(Real, 0, 1, closed="left")],
        "speaker_adaptation": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "paths": [tuple, list],
        "precision": [StrOptions({"float32", "bfloat16"})],
        "epoch_selection": [StrOptions({"last", "inner"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
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
        weight_decay: float = 0.0,
        label_smoothing: float = 0.0,
        augment: Augmentation | None = None,
        standardize: bool = False,
        batch_norm_momentum: float = 0.99,
        speaker_adaptation: bool = False,
        class_weight: dict | str | None = None,
        paths: tuple[str, ...] = tuple(PATHS),
        precision: str = "float32",
        epoch_selection: str = "last",
        validation_fraction: float = 0.2,
        patience: int | None = None,
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
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.augment = augment
        self.standardize = standardize
        self.batch_norm_momentum = batch_norm_momentum
        self.speaker_adaptation = speaker_adaptation
        self.class_weight = class_weight
        self.paths = paths
        self.precision = precision
        self.epoch_selection = epoch_selection
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
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
        groups : array-like of shape (n_samples,), default=None
            Speakers; needed with `epoch_selection="inner"`, otherwise not used.

        Returns
        -------
        self : LightSERNetClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter is out of range, the lengths of `X`, `y` or `groups` differ, there is
            only one class, the MFCCs are not finite, or speakers are needed and missing.
        TrainingError
            If a batch does not fit into memory, or the loss does not stay finite.

        Warns
        -----
        SlowPrecisionWarning
            If the processor has no instructions for `precision`; once in a process.
        """
        return self._fit(X, y, sample_weight, groups)

    def _fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        judge: Judge | None = None,
    ) -> Self:
        """Train, and keep the epoch that a judge likes best if one is given."""
        self._check_parameters()
        go_on = check_warm_start(self)
        if not go_on:
            self.__dict__.pop("keras_classifier_", None)  # a fit that fails leaves none behind
        X = check_mfcc(self, X, reset=not go_on)
        labels = check_labels(self, X, y, go_on=go_on)
        weight = combine_weights(self, sample_weight, X, y)
        check_consistent_length(X, groups)
        network_seed, order_seed, self._speaker_seed = draw_seeds(self, go_on=go_on)
        rows, judge, patience = self._set_aside(X, labels, groups, judge)
        heard = X if len(rows) == len(X) else [X[row] for row in rows]  # no copy
        augment = None if self.augment is None else clone(self.augment).fit(heard)
        check_batch_fits(heard, augment, batch_size=self.batch_size, precision=self.precision)
        warn_if_slow(self.precision)
        keras_classifier = start_network(self, heard, network_seed, go_on=go_on)
        network = keras_classifier.model_
        best = BestEpoch(network, judge, patience=patience) if judge else None
        with epoch_bar(self.epochs) if self.verbose else nullcontext():
            history = train(
                network,
                X,
                make_targets(labels, len(self.classes_), smoothing=self.label_smoothing),
                weight,
                epochs=self.epochs,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                schedule=self.learning_rate_schedule,
                generator=np.random.default_rng(order_seed),
                rows=rows,
                augment=augment,
                after_epoch=best,
            )
        if best:
            best.restore()
        self.epoch_ = best.epoch if best else self.epochs
        self.keras_classifier_ = keras_classifier
        self.history_ = join_histories(self.history_ if go_on else {}, history)
        return self

    def _set_aside(
        self,
        X: MFCCs,
        labels: NDArray[np.int64],
        groups: ArrayLike | None,
        judge: Judge | None,
    ) -> tuple[NDArray[np.intp], Judge | None, int | None]:
        """Return the rows to train on, who judges the epochs, and how patient training is."""
        if self.epoch_selection == "last" or judge is not None:
            return np.arange(len(X)), judge, None
        rows, judge = set_aside(
            *(X, labels, groups),
            fraction=self.validation_fraction,
            seed=self._speaker_seed,
            batch_size=self.batch_size,
            predict_speaker=speaker_predictor(self),
        )
        return rows, judge, self.patience

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Predict how likely each emotion is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc)
            MFCCs of any number of frames, whatever the number in training. With
            `speaker_adaptation` all of them are one speaker's, and each is predicted in the
            light of the others.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), dtype float32
            Columns in the order of `classes_`. With `speaker_adaptation` they rank the classes,
            but are too sure to be taken for frequencies.

        Raises
        ------
        NotFittedError
            If the classifier was not fitted.
        ValueError
            If the number of coefficients differs from that in training, or a parameter that
            adaptation needs has been set out of range.
        """
        check_is_fitted(self)
        X = check_mfcc(self, X, reset=False)
        network = self.keras_classifier_.model_
        if predict_speaker := speaker_predictor(self):
            return predict_speaker(network, X)
        return predict(network, X, batch_size=self.batch_size)

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

    def _check_parameters(self) -> None:
        self._validate_params()
        check_paths(type(self).__name__, self.paths)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "keras_classifier_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        # the common checks' tables have neither frames nor a frequency axis
        tags.classifier_tags.poor_score = True
        return tags
