"""A step of training beside the plain network in Keras' fit."""

import numpy as np

from ._paired import Row, compare

_BATCH, _STEPS = 32, 2


def run(repeats: int) -> list[Row]:
    """Compare steps of the same number of utterances of 3 s.

    Parameters
    ----------
    repeats : int
        Number of rounds.

    Returns
    -------
    rows : list of Row
        The results.
    """
    from skser.network import build_light_sernet
    from skser.training import train

    from ._plain import compile_model, plain_light_sernet

    network, plain = build_light_sernet(7), plain_light_sernet(7, 184)
    compile_model(network)
    generator = np.random.default_rng(0)
    X = generator.normal(size=(_BATCH * _STEPS, 184, 40)).astype(np.float32)
    y = generator.integers(7, size=len(X))
    targets = np.eye(7, dtype=np.float32)[y]
    weight = np.ones(len(X), dtype=np.float32)
    settings = {"epochs": 1, "batch_size": _BATCH, "learning_rate": 1e-4, "schedule": None}
    functions = {
        "training step": lambda: train(network, X, targets, weight, generator=generator, **settings),
        "plain Keras fit": lambda: plain.fit(X, y, batch_size=_BATCH, verbose=0),
    }
    return compare("training", functions, repeats=repeats)
