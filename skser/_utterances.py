"""What `X` may be, and how a batch of utterances reports its bad ones all at once."""

import hashlib
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from joblib import Parallel, delayed
from joblib.parallel import get_active_backend
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import gen_even_slices
from sklearn.utils.validation import validate_data

from .audio import check_waveform, read_audio, read_samples
from .exceptions import AudioError, AudioFileError, SilentAudioWarning, SkserError

_MAX_LISTED = 10


class Steps(NamedTuple):
    """How an utterance becomes an array.

    `read` gives the waveform of a row and its utterance and a warning or None, as
    `take_utterances` says; `prepare` the waveform that is computed with; `compute` the array.
    """

    read: Callable
    prepare: Callable
    compute: Callable


@dataclass
class Part:
    """What was wrong or odd in one share of the utterances, by row."""

    problems: list[tuple[int, SkserError]] = field(default_factory=list)
    notes: list[tuple[int, Warning]] = field(default_factory=list)


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
    utterances: Sequence, visit: Callable, out: Any, *, n_jobs: int | None
) -> list[Warning]:
    """Compute an array of each utterance, in threads, and report all bad ones at once.

    Parameters
    ----------
    utterances : sequence
        Recordings or waveforms.
    visit : callable
        As `compute_utterance`. If it raises BlockingIOError, it is called again at the end with
        `wait=True`.
    out : list, ndarray or ArrayFile
        Takes the array of each row; threads fill it in any order.
    n_jobs : int or None
        Number of threads.

    Returns
    -------
    notes : list of Warning
        What `warn_of` should warn of.

    Raises
    ------
    AudioError or AudioFileError
        If utterances cannot be used; the message names the first ten and the count.
    """

    def visit_rows(rows: Iterable[int], part: Part, *, wait: bool) -> list[int]:
        """Return the rows whose features others compute at this moment."""
        taken = []
        for row in rows:  # goes on behind a bad one, so that all are reported
            try:
                out[row], notes = visit(row, utterances[row], wait=wait)
            except BlockingIOError:
                taken.append(row)
            except (AudioError, AudioFileError) as problem:
                part.problems.append((row, problem))
            else:
                part.notes += [(row, note) for note in notes]
        return taken

    def visit_part(rows: range) -> Part:
        part = Part()
        taken = visit_rows(rows, part, wait=False)
        visit_rows(taken, part, wait=True)
        return part

    # Threads even if the caller has chosen other processes by parallel_config: they all fill `out`.
    backend, default = get_active_backend(require="sharedmem")
    n_jobs = min(backend.effective_n_jobs(default if n_jobs is None else n_jobs), len(utterances))
    parts = Parallel(n_jobs=n_jobs, require="sharedmem")(
        delayed(visit_part)(range(len(utterances))[rows])
        for rows in gen_even_slices(len(utterances), n_jobs)
    )
    raise_problems(_in_order(problem for part in parts for problem in part.problems))
    return _in_order(note for part in parts for note in part.notes)


def compute_utterance(
    row: int,
    utterance: Any,
    *,
    steps: Steps,
    wait: bool = True,  # noqa: ARG001 - for no one else computes it
) -> tuple[NDArray[np.float32], list[Warning]]:
    """Compute the array of one utterance.

    Parameters
    ----------
    row : int
        Its row.
    utterance : path or array-like
        The recording or the waveform.
    steps : Steps
        How it becomes an array.
    wait : bool, default=True
        Ignored.

    Returns
    -------
    array : ndarray
        The array.
    notes : list of Warning
        What the utterance deserves to be warned of.
    """
    prepared, notes = prepare_utterance(row, utterance, steps)
    return steps.compute(prepared), notes


def prepare_utterance(
    row: int, utterance: Any, steps: Steps
) -> tuple[NDArray[np.float32], list[Warning]]:
    """Do what `compute_utterance` does before it computes."""
    waveform, note = steps.read(row, utterance)
    prepared = steps.prepare(waveform)
    notes = [] if note is None else [note]
    if not prepared.any():
        notes.append(SilentAudioWarning(silence(row, utterance)))
    return prepared, notes


def _in_order(by_row: Iterable[tuple[int, Any]]) -> list:
    return [item for _, item in sorted(by_row, key=itemgetter(0))]


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
        warnings.warn(message, kind, stacklevel=4)  # transform's caller, past set_output's wrapper


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
