"""The candidates of a grid: models with their parameters, checked before anything is trained."""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import ParameterGrid

from ._parts import parts_of
from ._store import as_json
from ._text import some
from .classifier import LightSERNetClassifier
from .exceptions import EvaluationError
from .mfcc import MFCCTransformer

Grid = Mapping[str, Sequence] | Sequence[Mapping[str, Sequence]]
"""Values by parameter, or several such mappings, as of scikit-learn's `ParameterGrid`."""


class Candidate(NamedTuple):
    """Parameters of a grid, and the model that has them."""

    params: dict[str, Any]
    model: BaseEstimator


def make_candidates(model: BaseEstimator, grid: Grid) -> list[Candidate]:
    """Make a model of each combination of a grid.

    Parameters
    ----------
    model : estimator
        Is cloned.
    grid : dict of str to list, or list of such dicts
        Values by parameter.

    Returns
    -------
    candidates : list of Candidate
        In the order of `ParameterGrid`.

    Raises
    ------
    EvaluationError
        If there are none, a parameter is unknown or no value of it allowed, or a candidate is
        there twice.
    """
    try:
        combinations = [dict(params) for params in ParameterGrid(grid)]
    except (TypeError, ValueError) as error:
        raise EvaluationError(
            "The 'grid' parameter of search must be a dict of parameters to lists of values, or a "
            f"list of such dicts. {error}"
        ) from error
    if not combinations or not all(combinations):
        raise EvaluationError(
            "The 'grid' parameter of search must name at least one parameter, such as "
            "{'classifier__loss': ['cross_entropy', 'focal']}. "
            f"Got {grid!r} instead."
        )
    known = [json.dumps(as_json_params(params), sort_keys=True) for params in combinations]
    for params, text in zip(combinations, known, strict=True):
        if known.count(text) > 1:
            raise EvaluationError(
                "The 'grid' parameter of search must not have a candidate twice. Got "
                f"{name_candidate(params)} more than once."
            )
    return [Candidate(params, _make(model, params)) for params in combinations]


def as_json_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON would give them back.

    Parameters
    ----------
    params : mapping of str to object
        Parameters.

    Returns
    -------
    plain : dict
        Of the same names.
    """
    return {name: as_json(value) for name, value in params.items()}


def as_json_grid(grid: Grid) -> list[dict[str, list]]:
    """Return a grid as JSON would give it back.

    Parameters
    ----------
    grid : dict of str to list, or list of such dicts
        Values by parameter.

    Returns
    -------
    plain : list of dict
        `ParameterGrid` has the candidates of it in the same order.
    """
    parts = [grid] if isinstance(grid, Mapping) else grid
    return [{name: [as_json(v) for v in values] for name, values in part.items()} for part in parts]


def name_candidate(params: Mapping[str, Any]) -> str:
    """Write parameters in a line, such as `loss=focal, duration=3`.

    Parameters
    ----------
    params : mapping of str to object
        Parameters.

    Returns
    -------
    name : str
        With the parts that they belong to only where two are called alike.
    """
    names = short_names(list(params))
    return ", ".join(f"{names[name]}={value}" for name, value in params.items())


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Return names of parameters without the parts that they belong to.

    Parameters
    ----------
    names : sequence of str
        Such as "classifier__loss".

    Returns
    -------
    short : dict of str to str
        Such as "loss"; the whole name where two would be called alike.
    """
    ends = [name.split("__")[-1] for name in names]
    return {
        name: end if ends.count(end) == 1 else name for name, end in zip(names, ends, strict=True)
    }


def _make(model: BaseEstimator, params: Mapping[str, Any]) -> BaseEstimator:
    for name in params:
        if name.split("__")[-1] == "random_state":
            raise EvaluationError(
                f"The 'grid' parameter of search must not have seeds. Got {name!r}; seeds= runs "
                "every candidate with each of them."
            )
    try:
        candidate = clone(model).set_params(**{k: clone(v, safe=False) for k, v in params.items()})
    except (ValueError, AttributeError) as error:
        raise _unknown(model, params) or error from error
    for part in parts_of(candidate):
        if isinstance(part, LightSERNetClassifier | MFCCTransformer):
            part._check_parameters()  # also what depends on several of them
        elif hasattr(part, "_parameter_constraints"):  # of scikit-learn's kind: not every estimator
            part._validate_params()
    return candidate


def _unknown(model: BaseEstimator, params: Mapping[str, Any]) -> EvaluationError | None:
    known = sorted(model.get_params(deep=True))
    unknown = next((name for name in params if name not in known), None)
    if unknown is None:
        return None
    near = get_close_matches(unknown, known, n=2, cutoff=0.9) or [
        name for name in known if name.split("__")[-1] == unknown.split("__")[-1]
    ]
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {some(known, 40)}."
    return EvaluationError(
        f"The 'grid' parameter of search must name parameters of the model. Got {unknown!r}; {hint}"
    )
