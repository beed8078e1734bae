"""What `X` may be, and how a batch of utterances reports its bad ones all at once."""

import hashlib
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from .audio import check_waveform, read_audio, read_samples
from .exceptions import AudioError, AudioFileError, SkserError

_MAX_LISTED = 10


@dataclass
class Part:
    """What one share of the utterances gave."""

    arrays: list[NDArray[np.float32]] = field(default_factory=list)
    problems: list[SkserError] = field(default_factory=list)
    notes: list[Warning] = field(default_factory=list)


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
                read_samples(Path(utterance))[0] if is_path(utterance) else np.asarray(utterance)
            )
        except AudioFileError as problem:
            problems.append(problem)
            continue
        digests.append(hashlib.sha256(np.ascontiguousarray(samples).tobytes()).hexdigest())
    raise_problems(problems)
    return digests


def are_waveforms(items: list) -> bool:
    """Tell waveforms of any lengths from the rows of a rectangular list of lists."""
    if any(isinstance(item, np.ndarray) and item.ndim for item in items):
        return True
    return len({len(item) for item in items if isinstance(item, list | tuple)}) > 1
