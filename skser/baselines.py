"""What a network has to beat: known features and a linear classifier, as Pipelines."""

from typing import Any

from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from .adaptation import SpeakerStandardizer
from .functionals import FunctionalsTransformer, MFCCStatistics
from .mfcc import MFCCTransformer

BASELINES = ("majority", "mfcc_svc", "egemaps_svc", "compare_svc")


def make_baseline(
    name: str, *, n_jobs: int | None = None, speaker_adaptation: bool = False
) -> Pipeline:
    """Make a baseline that takes recordings or waveforms, as `make_light_sernet` does.

    Nothing about it is tuned, so `evaluate` gives an honest score of it: features and parameters
    are fixed, and the features are standardised by the training utterances alone.

    Parameters
    ----------
    name : {"majority", "mfcc_svc", "egemaps_svc", "compare_svc"}
        `"majority"` predicts the most frequent emotion of the training utterances, whatever it
        hears. The others are linear support vector machines, on mean and standard deviation of
        the MFCCs that LIGHT-SERNET hears, on the 88 functionals of eGeMAPSv02, and on the 6373
        of ComParE_2016. Those of openSMILE need the extra `skser[baselines]`.
    n_jobs : int or None, default=None
        Number of threads that compute the features; -1 takes all processors.
    speaker_adaptation : bool, default=False
        Whether each speaker's features are standardised by the utterances of that speaker in
        place of those of all training speakers.

    Returns
    -------
    model : sklearn.pipeline.Pipeline
        Steps `"mfcc"` and `"statistics"`, or `"functionals"`; then `"scaler"` and
        `"classifier"`. Of `"majority"`, the last one alone.

    Raises
    ------
    ValueError
        If there is no such baseline.

    See Also
    --------
    make_light_sernet : The network to be compared with them.
    evaluate : Compares them on the same folds.

    Notes
    -----
    The penalty `C` of the support vector machines is 1, the default of libsvm and scikit-learn,
    with tens of features, and 1e-3 (known to do well on EMO-DB) for ComParE_2016, which has more
    features than most corpora have utterances. They have no `predict_proba`: probabilities would
    take a cross-validation within each fold. That of `"majority"` are the shares of the emotions.

    References
    ----------
    B. Schuller et al.: "The INTERSPEECH 2016 computational paralinguistics challenge: deception,
    sincerity & native language", Interspeech 2016 (ComParE functionals and a linear SVM).

    F. Eyben et al.: "The Geneva minimalistic acoustic parameter set (GeMAPS) for voice research
    and affective computing", IEEE Transactions on Affective Computing, 2016 (eGeMAPS).

    Examples
    --------
    >>> from skser import make_baseline
    >>> from skser.datasets import make_emotional_speech
    >>> corpus = make_emotional_speech(n_speakers=2, random_state=0)
    >>> model = make_baseline("mfcc_svc").fit(corpus.data, corpus.target)
    >>> model.predict(corpus.data[:3]).shape
    (3,)
    """
    if name == "majority":
        # "prior" predicts what "most_frequent" does, and has probabilities that mean something
        return Pipeline([("classifier", DummyClassifier(strategy="prior"))])
    scaler = SpeakerStandardizer() if speaker_adaptation else StandardScaler()
    if name == "mfcc_svc":
        # of the whole utterance: padding would enter the statistics
        mfcc = MFCCTransformer(duration=None, n_jobs=n_jobs)
        return _with_svc([("mfcc", mfcc), ("statistics", MFCCStatistics())], scaler, C=1.0)
    if name == "egemaps_svc":
        functionals = FunctionalsTransformer(feature_set="eGeMAPSv02", n_jobs=n_jobs)
        return _with_svc([("functionals", functionals)], scaler, C=1.0)
    if name == "compare_svc":
        functionals = FunctionalsTransformer(feature_set="ComParE_2016", n_jobs=n_jobs)
        return _with_svc([("functionals", functionals)], scaler, C=1e-3)
    raise ValueError(
        f"The 'name' parameter of make_baseline must be a str among {BASELINES}. Got {name!r} "
        "instead."
    )


def _with_svc(
    features: list[tuple[str, Any]], scaler: StandardScaler | SpeakerStandardizer, *, C: float
) -> Pipeline:
    classifier = SVC(kernel="linear", C=C)
    return Pipeline([*features, ("scaler", scaler), ("classifier", classifier)])
