"""Prediction beside Keras: one utterance, and a batch."""

import numpy as np

from ._paired import Row, compare


def run(repeats: int) -> list[Row]:
    """Compare with the plain network, and one utterance with our network in Keras' own ways.

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
    from skser.training import predict

    from ._plain import plain_light_sernet

    network, plain = build_light_sernet(7), plain_light_sernet(7, 184)
    X = np.random.default_rng(0).normal(size=(128, 184, 40)).astype(np.float32)
    one, of_one = X[:1], 20  # a single prediction is too short for the clock
    alone = {
        "one utterance": lambda: [predict(network, one, batch_size=32) for _ in range(of_one)],
        "plain Keras predict": lambda: [plain.predict(one, verbose=0) for _ in range(of_one)],
        "plain Keras predict_on_batch": lambda: [
            plain.predict_on_batch(one) for _ in range(of_one)
        ],
    }
    together = {
        "128 utterances": lambda: predict(network, X, batch_size=32),
        "plain Keras predict": lambda: plain.predict(X, batch_size=32, verbose=0),
    }
    return [
        row
        for functions in (alone, together)
        for row in compare("prediction", functions, repeats=repeats)
    ]
