"""Learning rates by epoch."""

import math


def step(epoch: int, *, epochs: int, learning_rate: float) -> float:  # noqa: ARG001 - shared signature
    """Multiply the learning rate by e^-0.15 at epochs 60, 80, 100, ... (0-based).

    Parameters
    ----------
    epoch : int
        0-based epoch.
    epochs : int
        Number of epochs; the steps do not depend on it.
    learning_rate : float
        Initial learning rate.

    Returns
    -------
    learning_rate : float
        The learning rate in this epoch.

    References
    ----------
    A. Aftab et al., "LIGHT-SERNET", ICASSP 2022, section 3.2 ("from epoch 50 and above decreases
    by a rate e^-0.15 every 20 epochs"; in the published code the first step is at epoch 60).
    """
    return learning_rate * math.exp(-0.15 * max(0, (epoch - 40) // 20))


def cosine(epoch: int, *, epochs: int, learning_rate: float) -> float:
    """Raise the learning rate linearly over a tenth of the epochs, then lower it to zero.

    Parameters
    ----------
    epoch : int
        0-based epoch.
    epochs : int
        Number of epochs.
    learning_rate : float
        Highest learning rate.

    Returns
    -------
    learning_rate : float
        The learning rate in this epoch.

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: Stochastic gradient descent with warm restarts", ICLR 2017,
    equation 5, without restarts.
    """
    warm_up = epochs // 10
    if epoch < warm_up:
        return learning_rate * (epoch + 1) / warm_up
    progress = (epoch - warm_up) / (epochs - warm_up)
    return learning_rate * (1 + math.cos(math.pi * progress)) / 2


def constant(epoch: int, *, epochs: int, learning_rate: float) -> float:  # noqa: ARG001 - shared signature
    """Keep the learning rate.

    Parameters
    ----------
    epoch : int
        0-based epoch.
    epochs : int
        Number of epochs.
    learning_rate : float
        Learning rate.

    Returns
    -------
    learning_rate : float
        The same learning rate.
    """
    return learning_rate


SCHEDULES = {"step": step, "cosine": cosine, None: constant}
