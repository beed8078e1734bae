"""Features and network as one Pipeline, and the named recipes."""

import os
from types import MappingProxyType
from typing import Any

from sklearn.pipeline import Pipeline

from .classifier import LightSERNetClassifier
from .mfcc import MFCCTransformer

RECIPES = MappingProxyType(
    {
        "short": {"epochs": 40, "learning_rate": 1e-3, "learning_rate_schedule": "cosine"},
        "paper": {"epochs": 300, "learning_rate": 1e-4, "learning_rate_schedule": "step"},
    }
)


def make_light_sernet(
    *,
    recipe: str = "short",
    duration: float | None = 3.0,
    random_state: int | None = None,
    n_jobs: int | None = None,
    cache: str | os.PathLike | None = None,
    **classifier_params: Any,
) -> Pipeline:
    """Make the Pipeline from recordings or waveforms to emotions.

    Parameters
    ----------
    recipe : {"short", "paper"}, default="short"
        How the network is trained. `"short"`: 40 epochs at a learning rate of 1e-3 with a cosine
        schedule. `"paper"`: 300 epochs at 1e-4 with steps, as published.
    duration : float or None, default=3.0
        Length of every utterance, in s; None keeps each utterance's own length.
    random_state : int, RandomState instance or None, default=None
        Seed of the classifier.
    n_jobs : int or None, default=None
        Number of threads that compute the MFCCs.
    cache : path-like or None, default=None
        Folder that keeps the MFCCs, so that all folds and candidates share them.
    **classifier_params : dict
        Parameters of `LightSERNetClassifier`, such as `loss="focal"`; they override the recipe.

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
    0.001
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
    params = {**RECIPES[recipe], "random_state": random_state, **classifier_params}
    return Pipeline(
        [
            ("mfcc", MFCCTransformer(duration=duration, n_jobs=n_jobs, cache=cache)),
            ("classifier", LightSERNetClassifier(**params)),
        ]
    )
