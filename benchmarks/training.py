"""Training, in each precision that the processor computes in, and its start beside plain Keras."""

from functools import partial

import numpy as np

from ._paired import Row, compare, summarise, time_in_turn

_BATCH, _STEPS, _EPOCHS = 32, 4, 4
_PLAIN = "plain Keras fit"
_GIVEN_BACK = "the same, freed memory given back at once"


def run(repeats: int) -> list[Row]:
    """Compare a few epochs of the same utterances of 3 s, and networks from their making on.

    Parameters
    ----------
    repeats : int
        Number of rounds.

    Returns
    -------
    rows : list of Row
        The results.
    """
    from skser._processor import is_emulated
    from skser.network import build_light_sernet
    from skser.training import train

    from ._plain import compile_model, plain_light_sernet

    generator = np.random.default_rng(0)
    X = generator.normal(size=(_BATCH * _STEPS, 184, 40)).astype(np.float32)
    targets = np.eye(7, dtype=np.float32)[generator.integers(7, size=len(X))]
    weight = np.ones(len(X), dtype=np.float32)
    settings = {"batch_size": _BATCH, "learning_rate": 1e-4, "schedule": None}
    functions = {}
    for precision in ("float32", "bfloat16"):
        if is_emulated(precision):
            continue
        network = build_light_sernet(7, precision=precision)
        compile_model(network)
        functions[f"epochs in {precision}"] = partial(
            train, network, X, targets, weight, generator=generator, epochs=_EPOCHS, **settings
        )
    plain = plain_light_sernet(7, 184)
    functions[_PLAIN] = partial(plain.fit, X, targets, epochs=_EPOCHS, batch_size=_BATCH, verbose=0)
    epochs = functions["epochs in float32"]
    functions[_GIVEN_BACK] = partial(train.__wrapped__, *epochs.args, **epochs.keywords)
    seconds = time_in_turn(functions, repeats=repeats)
    theirs, given_back = seconds.pop(_PLAIN), seconds.pop(_GIVEN_BACK)
    kept = given_back / seconds["epochs in float32"]

    def start() -> None:
        further = build_light_sernet(7)
        compile_model(further)
        train(further, *first_batch, generator=generator, epochs=1, **settings)

    def start_plain() -> None:
        plain_light_sernet(7, 184).fit(*first_batch[:2], batch_size=_BATCH, verbose=0)

    first_batch = X[:_BATCH], targets[:_BATCH], weight[:_BATCH]
    starts = {"a further network, to its first step": start, _PLAIN: start_plain}
    return [
        *(summarise("training", name, _PLAIN, theirs / ours) for name, ours in seconds.items()),
        summarise("training", "epochs in float32", _GIVEN_BACK, kept),
        *compare("training", starts, repeats=repeats),
    ]
