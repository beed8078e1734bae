"""What a second `fit` goes on from, and what it must not change."""

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_random_state

from ._classifier_network import network_params

if TYPE_CHECKING:
    from .classifier import LightSERNetClassifier

History = dict[str, list[float]]


def check_warm_start(estimator: "LightSERNetClassifier") -> bool:
    """Check that a fit can go on from the earlier one if it is to, and return whether it is to.

    Parameters
    ----------
    estimator : LightSERNetClassifier
        The classifier.

    Returns
    -------
    go_on : bool
        Whether it has the warm start and was fitted.

    Raises
    ------
    ValueError
        If the network's parameters are not those of the first fit, or an earlier fit heard the
        speakers that are to be set aside.
    """
    if not estimator.warm_start or not hasattr(estimator, "keras_classifier_"):
        return False
    first = estimator._network_params
    for parameter, value in network_params(estimator).items():
        if value != first[parameter]:
            raise ValueError(
                f"With warm_start=True the {parameter!r} parameter of {type(estimator).__name__} "
                f"must stay as in the first fit ({first[parameter]!r}). Got {value!r} instead."
            )
    _check_same_speakers(estimator.epoch_selection, estimator.history_)
    return True


def _check_same_speakers(epoch_selection: str, history: History) -> None:
    scores = history.get("selection_score", [np.nan])
    if epoch_selection == "inner" and not np.isfinite(scores).all():
        raise ValueError(
            "With warm_start=True the 'epoch_selection' parameter cannot become 'inner': an "
            "earlier fit has heard the speakers that would be set aside. Use a new classifier."
        )


def draw_seeds(estimator: "LightSERNetClassifier", *, go_on: bool) -> tuple[int, int, int]:
    """Draw the seeds of a fit.

    Parameters
    ----------
    estimator : LightSERNetClassifier
        The classifier.
    go_on : bool
        Whether the fit goes on from an earlier one; it sets the same speakers aside then.

    Returns
    -------
    network_seed, order_seed, speaker_seed : int
        Seeds of the network, of the order of the utterances, and of who is set aside.
    """
    random_state = check_random_state(estimator.random_state)
    seeds = random_state.randint(np.iinfo(np.int32).max, size=3).tolist()
    network_seed, order_seed, speaker_seed = seeds
    return network_seed, order_seed, estimator._speaker_seed if go_on else speaker_seed


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
