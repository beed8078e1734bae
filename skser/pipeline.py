"""Features and network as one Pipeline, and the named recipes."""

import os
from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any

from sklearn.pipeline import Pipeline

from .augment import Augmentation
from .classifier import LightSERNetClassifier
from .mfcc import MFCCTransformer

# Parameters of the two steps by the name of the recipe.
RECIPES: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "robust": {
            "mfcc__n_mfcc": 64,  # finer along frequency than the paper's 40
            "mfcc__clip": None,
            "mfcc__log_offset": 1e-2,
            "classifier__epochs": 90,
            "classifier__learning_rate": 2e-3,
            "classifier__learning_rate_schedule": "cosine",
            "classifier__weight_decay": 0.05,
            "classifier__label_smoothing": 0.1,
            "classifier__augment": Augmentation(),
            "classifier__standardize": True,
            "classifier__batch_norm_momentum": 0.9,
        },
        "short": {
            "classifier__epochs": 40,
            "classifier__learning_rate": 1e-3,
            "classifier__learning_rate_schedule": "cosine",
        },
        "paper": {
            "classifier__epochs": 300,
            "classifier__learning_rate": 1e-4,
            "classifier__learning_rate_schedule": "step",
        },
    }
)


def make_light_sernet(
    *,
    recipe: str = "robust",
    duration: float | None = 3.0,
    random_state: int | None = None,
    n_jobs: int | None = None,
    cache: str | os.PathLike | None = None,
    **classifier_params: Any,
) -> Pipeline:
    """Make the Pipeline from recordings or waveforms to emotions.

    Parameters
    ----------
    recipe : {"robust", "short", "paper"}, default="robust"
        How the network is trained. `"robust"`: 90 epochs at a learning rate of 2e-3 with a cosine
        schedule, on 64 MFCCs of utterances that are changed at random (`Augmentation`).
        `"short"`: 40 epochs of the utterances as they are, on 40 MFCCs. `"paper"`: the same for
        300 epochs at 1e-4 with steps, as published.
    duration : float or None, default=3.0
        Length of every utterance, in s; None keeps each utterance's own length.
    random_state : int, RandomState instance or None, default=None
        Seed of the classifier.
    n_jobs : int or None, default=None
        Number of threads that compute the MFCCs.
    cache : path-like or None, default=None
        Folder that keeps the MFCCs, so that all folds and candidates share them.
    **classifier_params : dict
        Parameters of `LightSERNetClassifier`, such as `loss="focal"`, or `speaker_adaptation=True`
        for a model that adapts to the speaker as it predicts; they override the recipe.

    Returns
    -------
    model : sklearn.pipeline.Pipeline
        Steps `"mfcc"` (`MFCCTransformer`) and `"classifier"` (`LightSERNetClassifier`).

    Raises
    ------
    ValueError
        If there is no such recipe.
    TypeError
        If there is no such parameter.

    See Also
    --------
    MFCCTransformer : The first step, with the parameters of the features.
    LightSERNetClassifier : The second step, with the parameters of the network.

    References
    ----------
    A. Aftab et al., "LIGHT-SERNET", ICASSP 2022.

    Examples
    --------
    >>> from skser import make_light_sernet
    >>> model = make_light_sernet(loss="focal", epochs=20, random_state=0)
    >>> model.get_params()["classifier__learning_rate"]
    0.002
    """
    if recipe not in RECIPES:
        raise ValueError(
            f"The 'recipe' parameter of make_light_sernet must be a str among {set(RECIPES)}. "
            f"Got {recipe!r} instead."
        )
    if unknown := sorted(classifier_params.keys() - LightSERNetClassifier().get_params().keys()):
        raise TypeError(
            "make_light_sernet takes 'recipe', 'duration', 'random_state', 'n_jobs', 'cache' and "
            f"the parameters of LightSERNetClassifier. Got {unknown} instead; those of "
            "MFCCTransformer are set by set_params(mfcc__...=...)."
        )
    model = Pipeline(
        [
            ("mfcc", MFCCTransformer(duration=duration, n_jobs=n_jobs, cache=cache)),
            ("classifier", LightSERNetClassifier()),
        ]
    )
    params = {"random_state": random_state, **classifier_params}
    model.set_params(**deepcopy(RECIPES[recipe]))  # no two models share an Augmentation
    model.set_params(**{f"classifier__{name}": value for name, value in params.items()})
    return model
