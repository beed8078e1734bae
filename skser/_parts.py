"""What a model is made of."""

from typing import Any

from sklearn.base import BaseEstimator


def parts_of(model: BaseEstimator) -> list[Any]:
    """Return a model and all of its parameters, those of its parts included.

    Parameters
    ----------
    model : estimator
        Any model, such as a search over Pipelines.

    Returns
    -------
    parts : list
        The estimators that it holds are among them.
    """
    return [model, *model.get_params(deep=True).values()]
