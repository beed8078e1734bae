"""What `X` may be, and how a batch of utterances reports its bad ones all at once."""

import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import gen_even_slices
from sklearn.utils.validation import validate_data

from .audio import check_waveform, read_audio, read_samples
from .exceptions import AudioError, AudioFileError, SilentAudioWarning, SkserError

_MAX_LISTED = 10


@dataclass
class Part:
    """What one share of the utterances gave."""

    arrays: list[NDArray[np.float32]] = field(default_factory=list)
    problems: list[SkserError] = field(default_factory=list)
    notes: list[Warning] = field(default_factory=list)


def take_utterances(
    estimator: BaseEstimator, X: Any, *, sample_rate: int, reset: bool
) -> tuple[Sequence, Callable]:
    """Return the utterances of `X` and the function that reads one as a waveform.

    Parameters
    ----------
    estimator : estimator
        Named in errors; keeps the width of a 2-D array.
    X : list of paths, list of array-like, or array-like of shape (n_samples, n_timestamps)
        Recordings or waveforms.
    sample_rate : int
        Sample rate that recordings are read at, in Hz.
    reset : bool
        Whether the width is learnt (`fit`) or compared (`transform`).

    Returns
    -------
    utterances : sequence
        One item an utterance.
    read : callable
        From the row and the item to the waveform and the warning it deserves, or None.

    Raises
    ------
    ValueError
        If `X` is none of the kinds that are taken.
    TypeError
        If it is a single path.
    """
    name = type(estimator).__name__
    if is_path(X):
        raise TypeError(
            f"{name} takes a list of recordings. Got the single path '{X}' instead; put it into "
            "a list."
        )
    if reset:
        for learnt in ("n_features_in_", "feature_names_in_"):  # in an earlier fit, on a table
            estimator.__dict__.pop(learnt, None)
    items = as_list(X)
    if items == []:
        raise AudioError(f"{name} needs at least one utterance. Got none.")
    if items is not None and are_paths(items):
        return items, partial(read_recording, sample_rate=sample_rate)
    if items is not None and are_waveforms(items):
        return items, read_waveform
    # not cast here, so that PCM integers keep their scale
    return validate_data(estimator, X, reset=reset, dtype="numeric"), read_waveform


def compute_each(
    utterances: Sequence,
    read: Callable,
    *,
    prepare: Callable,
    compute: Callable,
    n_jobs: int | None,
) -> list[NDArray[np.float32]]:
    """Compute an array of each utterance, in threads, and report all bad ones at once.

    Parameters
    ----------
    utterances : sequence
        Recordings or waveforms.
    read : callable
        From the row and the utterance to its waveform and a warning, as `take_utterances` gives.
    prepare : callable
        From a waveform to the one that is computed with; a silent one is warned of.
    compute : callable
        From a prepared waveform to an array.
    n_jobs : int or None
        Number of threads.

    Returns
    -------
    arrays : list of ndarray
        One an utterance, in their order.

    Raises
    ------
    AudioError or AudioFileError
        If utterances cannot be used; the message names the first ten and the count.
    """

    def compute_part(rows: range) -> Part:
        part = Part()
        for row in rows:  # goes on behind a bad one, so that all are reported
            try:
                waveform, note = read(row, utterances[row])
            except (AudioError, AudioFileError) as problem:
                part.problems.append(problem)
                continue
            if note is not None:
                part.notes.append(note)
            prepared = prepare(waveform)
            if not prepared.any():
                part.notes.append(SilentAudioWarning(silence(row, utterances[row])))
            part.arrays.append(compute(prepared))
        return part

    n_jobs = min(effective_n_jobs(n_jobs), len(utterances))
    parts = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(compute_part)(range(len(utterances))[rows])
        for rows in gen_even_slices(len(utterances), n_jobs)
    )
    raise_problems([problem for part in parts for problem in part.problems])
    warn_of([note for part in parts for note in part.notes])
    return [array for part in parts for array in part.arrays]


def read_recording(row: int, path: str, *, sample_rate: int) -> tuple:  # noqa: ARG001 - shared signature
    return read_audio(path, sample_rate=sample_rate)


def read_waveform(row: int, samples: Any) -> tuple:
    return check_waveform(samples, name=f"Waveform {row}"), None


def silence(row: int, utterance: Any) -> str:
    name = f"The recording '{utterance}'" if is_path(utterance) else f"Waveform {row}"
    return f"{name} is silent: all of its samples are zero where it was cut."


def raise_problems(problems: Sequence[SkserError]) -> None:
    if problems:
        kind = type(problems[0])
        raise kind(_listed(problems, "utterances cannot be used, so nothing was computed"))


def warn_of(notes: list[Warning]) -> None:
    for kind in sorted({type(note) for note in notes}, key=str):
        of_kind = [note for note in notes if type(note) is kind]
        message = _listed(of_kind, "utterances deserve a warning")
        warnings.warn(message, kind, stacklevel=5)  # transform's caller, past set_output's wrapper


def _listed(messages: Sequence[Exception], what: str) -> str:
    """Join messages into one: the first ten and the count."""
    if len(messages) == 1:
        return str(messages[0])
    lines = [f"{len(messages)} {what}:", *(f"  - {m}" for m in messages[:_MAX_LISTED])]
    if len(messages) > _MAX_LISTED:
        lines.append(f"  and {len(messages) - _MAX_LISTED} more")
    return "\n".join(lines)


def as_list(X: Any) -> list | None:
    """Return the items of a list, a Series or a 1-D array; None for what has columns."""
    if isinstance(X, list | tuple):
        return list(X)
    if hasattr(X, "ndim") and X.ndim == 1 and hasattr(X, "__len__"):
        return list(X)
    return None


def is_path(utterance: Any) -> TypeGuard[str | os.PathLike]:
    """Tell a recording on disk from samples."""
    return isinstance(utterance, str | os.PathLike)


def are_paths(items: list) -> bool:
    """Tell paths from waveforms, and refuse paths among which something else stands."""
    paths = [is_path(item) for item in items]
    if any(paths) and not all(paths):
        row = paths.index(False)
        raise AudioError(
            f"Utterance {row} must be a path, as others of X are. Got {type(items[row]).__name__} "
            "instead."
        )
    return any(paths)


def digest_content(utterances: Sequence) -> list[str]:
    """Hash the samples of each utterance, whatever its file is called.

    Parameters
    ----------
    utterances : sequence of paths or arrays
        Recordings or waveforms.

    Returns
    -------
    digests : list of str
        SHA-256 of the samples at the recording's own rate.

    Raises
    ------
    AudioFileError
        If recordings cannot be read; the message names the first ten and the count.
    """
    digests, problems = [], []
    for utterance in utterances:
        try:
            samples = (
                read_samples(Path(utterance))[0] if is_path(utterance) else _as_heard(utterance)
            )
        except AudioFileError as problem:
            problems.append(problem)
            continue
        digests.append(hashlib.sha256(np.ascontiguousarray(samples).tobytes()).hexdigest())
    raise_problems(problems)
    return digests


def _as_heard(waveform: Any) -> NDArray:
    """Return samples in the precision that features are computed from."""
    samples = np.asarray(waveform)
    return samples.astype(np.float32) if samples.dtype.kind == "f" else samples


def are_waveforms(items: list) -> bool:
    """Tell waveforms of any lengths from the rows of a rectangular list of lists."""
    if any(isinstance(item, np.ndarray) and item.ndim for item in items):
        return True
    return len({len(item) for item in items if isinstance(item, list | tuple)}) > 1
