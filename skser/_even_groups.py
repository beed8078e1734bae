"""Groups of speakers or texts that have about as many utterances each."""

from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from .exceptions import EvaluationError

_DEFAULT_N_GROUPS = 5


def group_evenly(
    values: NDArray[np.str_], what: str, n_groups: int | None, parameter: str
) -> NDArray[np.str_]:
    """Put values into groups of about as many utterances each, and name the groups.

    None makes five groups, or as many as there are values. They are those of GroupKFold, whose
    order among equal counts depends on the processor.
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    n_values = len(counts)
    n_groups = min(_DEFAULT_N_GROUPS, n_values) if n_groups is None else n_groups
    if not isinstance(n_groups, Integral) or not 2 <= n_groups <= n_values:
        raise EvaluationError(
            f"The {parameter!r} parameter must be an int in the range [2, {n_values}], the number "
            f"of different values of '{what}' in the corpus. Got {n_groups!r} instead."
        )
    sizes, group_of = np.zeros(n_groups, dtype=int), np.empty(n_values, dtype=int)
    for value in np.argsort(counts, kind="stable")[::-1]:
        group_of[value] = smallest = sizes.argmin()
        sizes[smallest] += counts[value]
    names = [f"{what} group {number + 1:0{len(str(n_groups))}}" for number in range(n_groups)]
    return np.array(names, dtype=np.str_)[group_of][inverse]
