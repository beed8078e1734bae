"""Batches of equal length, and the loops over them: training and prediction.

Keras' own `fit` infers the shape of all batches from the first two, so it cannot take
utterances that keep their lengths; these loops go over the batches themselves.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ._malloc import KEPT_ANYWAY, freed_memory_kept
from .augment import Augmentation
from .callbacks import report_epoch
from .exceptions import TrainingError
from .schedules import SCHEDULES

if TYPE_CHECKING:
    import keras

_BYTES = 4 * 96  # of the largest block, for a coefficient of a frame: the filters of Body I

MFCCs = NDArray[np.float32] | list[NDArray[np.float32]]
"""An array of shape (n_samples, n_frames, n_mfcc), or a list of (n_frames_i, n_mfcc) arrays."""


@freed_memory_kept()
def train(
    model: "keras.Model",
    X: MFCCs,
    targets: NDArray[np.float32],
    sample_weight: NDArray[np.float32],
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    schedule: str | None,
    generator: np.random.Generator,
    rows: NDArray[np.intp] | None = None,
    augment: Augmentation | None = None,
    after_epoch: Callable[[int, dict[str, float]], bool] | None = None,
) -> dict[str, list[float]]:
    """Train a compiled network for a number of epochs.

    Parameters
    ----------
    model : keras.Model
        The compiled network.
    X : ndarray of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc) arrays
        MFCCs.
    targets : ndarray of shape (n_samples, n_classes), dtype float32
        How much each utterance belongs to each class.
    sample_weight : ndarray of shape (n_samples,), dtype float32
        Weight of each utterance in the loss.
    epochs, batch_size : int
        Number of passes over the utterances, and of utterances a step.
    learning_rate : float
        Learning rate that the schedule starts from.
    schedule : {"step", "cosine"} or None
        How the learning rate goes down.
    generator : numpy.random.Generator
        Draws the order of the utterances, and their changes.
    rows : ndarray of int or None, default=None
        Utterances to train on; None takes all. Only a batch of them is in memory at a time.
    augment : Augmentation or None, default=None
        Fitted; changes each batch.
    after_epoch : callable or None, default=None
        Called with the number of finished epochs and the last one's logs, to which it may add;
        training stops if it returns True.

    Returns
    -------
    history : dict of str to list of float
        "loss", "accuracy", "learning_rate" and "seconds" of each epoch, and what `after_epoch`
        adds.

    Raises
    ------
    TrainingError
        If the loss is not finite after an epoch.
    """
    history: dict[str, list[float]] = defaultdict(list)
    step = _train_step(model)
    rows = np.arange(len(X)) if rows is None else rows
    any_length = augment is not None and augment.n_frames is not None
    for epoch in range(epochs):
        start = perf_counter()
        rate = SCHEDULES[schedule](epoch, epochs=epochs, learning_rate=learning_rate)
        model.optimizer.learning_rate = rate
        sums = np.zeros(2)
        for batch in training_batches(X, rows, batch_size, generator, any_length=any_length):
            of_batch = step(*_draw(X, targets, sample_weight, batch, augment, generator))
            sums += [float(value) * len(batch) for value in of_batch]
        logs = dict(zip(("loss", "accuracy"), (sums / len(rows)).tolist(), strict=True))
        if not np.isfinite(logs["loss"]):
            raise TrainingError(
                f"Training diverged: the loss is {logs['loss']} after epoch {epoch + 1} of "
                f"{epochs}; lower the 'learning_rate' parameter. Got {learning_rate!r}."
            )
        logs |= {"learning_rate": rate, "seconds": perf_counter() - start}
        stop = after_epoch is not None and after_epoch(epoch + 1, logs)
        for name, value in logs.items():
            history[name].append(value)
        report_epoch(epoch + 1, epochs, logs)
        if stop:
            break
    return dict(history)


def _draw(
    X: MFCCs,
    targets: NDArray[np.float32],
    sample_weight: NDArray[np.float32],
    batch: NDArray[np.intp],
    augment: Augmentation | None,
    generator: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the MFCCs, targets and weights of a batch."""
    if augment is None:
        return gather(X, batch), targets[batch], sample_weight[batch]
    # The loss is linear in the target, so a weight can be part of it, and is mixed with it.
    weighted = targets[batch] * sample_weight[batch][:, np.newaxis]
    drawn = augment.draw([X[row] for row in batch], weighted, generator=generator)
    return *drawn, np.ones(len(batch), dtype=np.float32)


def predict(
    model: "keras.Model",
    X: MFCCs,
    *,
    batch_size: int,
    rows: NDArray[np.intp] | None = None,
) -> NDArray[np.float32]:
    """Predict in batches of utterances that have the same number of frames.

    Parameters
    ----------
    model : keras.Model
        The network.
    X : ndarray of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc) arrays
        MFCCs.
    batch_size : int
        Number of utterances at a time.
    rows : ndarray of int or None, default=None
        Utterances to predict; None takes all.

    Returns
    -------
    probabilities : ndarray of shape (n_rows, n_classes), dtype float32
        One row an utterance, in their order.
    """
    rows = np.arange(len(X)) if rows is None else rows
    probabilities = np.empty((len(rows), model.output_shape[-1]), dtype=np.float32)
    n_frames = _n_frames(X, rows)
    forward = make_forward(model)
    positions = min(len(rows), batch_size) * n_frames.max(initial=0) * model.input_shape[-1]
    with freed_memory_kept() if _BYTES * positions > KEPT_ANYWAY else nullcontext():
        for batch in batches_of_one_length(X, rows, batch_size):
            probabilities[batch] = forward(gather(X, rows[batch]))
    return probabilities


def make_forward(model: "keras.Model") -> Callable:
    """Return a function from MFCCs to what a network makes of them.

    Parameters
    ----------
    model : keras.Model
        The network, or a part of it from the MFCCs on.

    Returns
    -------
    forward : callable
        From an array of shape (n_samples, n_frames, n_mfcc) to a tensor; on TensorFlow a graph.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        from ._tensorflow_graphs import forward

        return forward(model)
    return model.predict_on_batch


def batches_of_one_length(
    X: MFCCs, rows: NDArray[np.intp], batch_size: int
) -> Iterator[NDArray[np.intp]]:
    """Yield the positions in `rows` of utterances that have the same number of frames.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc) arrays
        MFCCs.
    rows : ndarray of int
        Utterances to go through.
    batch_size : int
        Largest number of utterances a batch.

    Yields
    ------
    batch : ndarray of int
        Positions in `rows`.
    """
    n_frames = _n_frames(X, rows)
    for length in np.unique(n_frames):
        yield from _slices(np.flatnonzero(n_frames == length), batch_size)


def training_batches(
    X: MFCCs,
    rows: NDArray[np.intp],
    batch_size: int,
    generator: np.random.Generator,
    *,
    any_length: bool = False,
) -> Iterator[NDArray[np.intp]]:
    """Yield the rows of each batch of one epoch, in random order.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc) arrays
        MFCCs.
    rows : ndarray of int
        Utterances to go through.
    batch_size : int
        Number of utterances a batch; the last one may have fewer.
    generator : numpy.random.Generator
        Draws the order.
    any_length : bool, default=False
        Whether utterances of a list may share a batch whatever their lengths; otherwise only
        those do whose lengths differ by less than a tenth.

    Yields
    ------
    batch : ndarray of int
        Rows of `X`.
    """
    order = rows[generator.permutation(len(rows))]
    if any_length or not isinstance(X, list):
        yield from _slices(order, batch_size)
        return
    batches = _batches_by_length(_n_frames(X, order).tolist(), batch_size)
    yield from (order[batches[index]] for index in generator.permutation(len(batches)))


def _n_frames(X: MFCCs, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the number of frames of some utterances."""
    if not isinstance(X, list):
        return np.full(len(rows), X.shape[1])
    return np.array([len(X[row]) for row in rows])


def _batches_by_length(n_frames: list[int], batch_size: int) -> list[list[int]]:
    """Group neighbours in length, so that cutting to the shortest loses little of the others."""
    batches: list[list[int]] = []
    for position in np.argsort(n_frames, kind="stable").tolist():
        batch = batches[-1] if batches else []
        if batch and len(batch) < batch_size and n_frames[position] < 1.1 * n_frames[batch[0]]:
            batch.append(position)
        else:
            batches.append([position])
    return batches


def _train_step(model: "keras.Model") -> Callable:
    """Return a function from a batch to its loss and accuracy that trains on it."""
    import keras

    if keras.backend.backend() == "tensorflow":
        from ._tensorflow_graphs import train_step

        return train_step(model)
    return model.train_on_batch


def _slices(rows: NDArray[np.intp], batch_size: int) -> Iterator[NDArray[np.intp]]:
    for start in range(0, len(rows), batch_size):
        yield rows[start : start + batch_size]


def gather(X: MFCCs, rows: Sequence[int] | NDArray[np.intp]) -> NDArray[np.float32]:
    """Stack utterances, cut around their middle to the shortest of them.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_frames, n_mfcc) or list of (n_frames_i, n_mfcc) arrays
        MFCCs.
    rows : sequence of int
        Which utterances.

    Returns
    -------
    mfcc : ndarray of shape (n_rows, n_frames, n_mfcc), dtype float32
        Of the length of the shortest one.
    """
    if not isinstance(X, list):
        return X[rows]
    n_frames = min(len(X[row]) for row in rows)
    starts = [(len(X[row]) - n_frames) // 2 for row in rows]
    return np.stack([X[row][at : at + n_frames] for row, at in zip(rows, starts, strict=True)])
