"""What a second `fit` goes on from, and what it must not change."""

from typing import Any

import numpy as np

History = dict[str, list[float]]


def check_same_network(name: str, params: dict[str, Any], first: dict[str, Any]) -> None:
    """Check that the parameters of a network are those of the first fit.

    Parameters
    ----------
    name : str
        Name of the estimator.
    params, first : dict
        Parameters now, and in the first fit.

    Raises
    ------
    ValueError
        If one of them differs.
    """
    for parameter, value in params.items():
        if value != first[parameter]:
            raise ValueError(
                f"With warm_start=True the {parameter!r} parameter of {name} must stay as in the "
                f"first fit ({first[parameter]!r}). Got {value!r} instead."
            )


def check_same_speakers(epoch_selection: str, history: History) -> None:
    """Check that speakers who are to choose the epoch were not trained on.

    Parameters
    ----------
    epoch_selection : str
        That of the fit that goes on.
    history : dict of str to list of float
        That of the earlier ones.

    Raises
    ------
    ValueError
        If an earlier fit set no speakers aside.
    """
    scores = history.get("selection_score", [np.nan])
    if epoch_selection == "inner" and not np.isfinite(scores).all():
        raise ValueError(
            "With warm_start=True the 'epoch_selection' parameter cannot become 'inner': an "
            "earlier fit has heard the speakers that would be set aside. Use a new classifier."
        )


def join_histories(earlier: History, later: History) -> History:
    """Append a history to another.

    Parameters
    ----------
    earlier, later : dict of str to list of float
        Figures of each epoch.

    Returns
    -------
    history : dict of str to list of float
        What only one of them has is NaN in the other's epochs.
    """
    gaps = [[float("nan")] * len(history.get("loss", [])) for history in (earlier, later)]
    return {
        name: earlier.get(name, gaps[0]) + later.get(name, gaps[1]) for name in {**earlier, **later}
    }
