"""How a model's `fit` is told of the speakers, with metadata routing and without."""

from inspect import signature
from numbers import Integral
from typing import Any

from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object


def speaker_params(model: BaseEstimator, groups: NDArray) -> dict[str, Any]:
    """Return what `fit` is called with so that each part which asks for the speakers gets them.

    Parameters
    ----------
    model : estimator
        A classifier, a Pipeline, or a search whose splitter may want the speakers.
    groups : ndarray of shape (n_samples,)
        Speakers.

    Returns
    -------
    params : dict
        Keyword arguments of `fit`; empty if nothing in the model asks for speakers.
    """
    if get_config()["enable_metadata_routing"]:
        asked = get_routing_for_object(model).consumes("fit", ["groups"])
        return {"groups": groups} if asked else {}
    if isinstance(model, Pipeline):
        return {
            f"{name}__{key}": value
            for name, step in model.steps
            if hasattr(step, "fit")  # not "passthrough"
            for key, value in speaker_params(step, groups).items()
        }
    if isinstance(model, BaseSearchCV):
        params = speaker_params(model.estimator, groups)
        params.pop("groups", None)  # the search keeps this one for its splitter
        return {**params, "groups": groups} if _splits_groups(model.cv) else params
    return {"groups": groups} if "groups" in signature(model.fit).parameters else {}


def _splits_groups(cv: Any) -> bool:
    """Tell splitters that want groups from those that warn of them."""
    if cv is None or isinstance(cv, Integral):
        return False
    if hasattr(cv, "get_metadata_routing"):
        return bool(get_routing_for_object(cv).consumes("split", ["groups"]))
    return True
