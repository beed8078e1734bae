"""A corpus that a CSV file lists, of whole recordings or of parts of long ones."""

import csv
import os
import warnings
from numbers import Integral
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, validate_params

from .._text import some
from ..audio import read_audio
from ..exceptions import CorpusError, SkserError, TruncatedAudioWarning
from ._base import make_bunch
from ._reading import local_path, read_durations

_NEEDED = ("file", "label", "speaker")
_TIMES = ("start", "end")
_ROUNDING = 0.01  # s by which a table may name an end behind that of the recording


@validate_params(
    {
        "path": [str, PathLike],
        "root": [str, PathLike, None],
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "name": [str, None],
        "descr": [str, None],
    },
    prefer_skip_nested_validation=True,
)
def load_table(
    path: str | PathLike,
    *,
    root: str | PathLike | None = None,
    sample_rate: int = 16000,
    name: str | None = None,
    descr: str | None = None,
) -> Bunch:
    """Read a corpus that a CSV file lists.

    Parameters
    ----------
    path : str or path-like
        A CSV file in UTF-8 with commas between its columns, whose first row names them:

        - `file`: the recording, relative to `root`, with "/" or Windows' backslashes;
        - `label`: the emotion;
        - `speaker`: who speaks;
        - `start` and `end`, if the utterances are parts of longer recordings: in seconds. An
          empty one stands for the beginning or the end of the recording;
        - `gender`, `text` and any others: kept as they are, but `duration`, which is measured.

        All but the times are text: a speaker "03" stays "03", and "NA" is no missing value.
        Blanks around values are dropped.
    root : str or path-like, default=None
        The folder that `file` starts from. By default, that of the CSV file.
    sample_rate : int, in Hz, default=16000
        Sample rate of the waveforms, if there are times; that of the features must be the
        same.
    name : str, default=None
        Short name of the corpus. By default, that of the CSV file, without its ending.
    descr : str, default=None
        Description of the corpus.

    Returns
    -------
    bunch : Bunch
        The corpus as :func:`make_bunch` describes it, in the order of the table. If any row
        has a `start` or `end`, `data` are waveforms in memory (64 kB for each second at
        16 kHz), otherwise paths.

    Raises
    ------
    CorpusError
        If the table cannot be read, lacks a column or value, names a file that does not
        exist or the same utterance twice, or has times that are not in the recording.
    AudioFileError
        If a recording cannot be read.

    Warns
    -----
    TruncatedAudioWarning
        If a part is cut out of a WAV file that has fewer samples than its header promises.

    See Also
    --------
    load_audio_folder : Read a folder of recordings whose names tell their labels.
    make_bunch : Make a corpus of a DataFrame.
    """
    path = local_path(path)
    table = _read_csv(path)
    folder = path.parent if root is None else local_path(root)
    table["file"] = [_find(folder, file) for file in table["file"]]
    _check_files(folder, table, path)
    times = {column: _to_seconds(table, column, path) for column in _TIMES}
    _check_unique(table, times, path)
    lengths = _measure(folder, table)
    data = None
    table["duration"] = lengths
    if any(np.isfinite(seconds).any() for seconds in times.values()):
        start, end = _check_times(table, times, lengths, path)
        data = _read_parts(folder, table, start, end, sample_rate=sample_rate)
        table["start"], table["end"] = start, end
        table["duration"] = [len(waveform) / sample_rate for waveform in data]
    else:
        table = table.drop(columns=[column for column in _TIMES if column in table])
    return make_bunch(
        table.replace("", np.nan),
        name=path.stem if name is None else name,
        descr=f"The corpus that {path.name} lists." if descr is None else descr,
        root=folder,
        data=data,
    )


def _read_csv(path: Path) -> pd.DataFrame:
    """Read a table of text; its index are the line numbers, for messages."""
    try:
        # utf-8-sig: spreadsheet programs begin a file with a byte order mark.
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            rows = [
                (reader.line_num, [v.strip() for v in row])
                for row in reader
                if any(map(str.strip, row))
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise CorpusError(
            f"The table {str(path)!r} must be a CSV file in UTF-8. It cannot be read: {reason}."
        ) from error
    if len(rows) < 2:
        raise CorpusError(
            f"The table {str(path)!r} must have a row of column names and one for each "
            f"utterance. Got {len(rows)} rows."
        )
    header = rows[0][1]
    if missing := [column for column in _NEEDED if column not in header]:
        raise CorpusError(
            f"The table {str(path)!r} must have the columns 'file', 'label' and 'speaker', "
            f"separated by commas. Got {', '.join(map(repr, header))} without "
            f"{' and '.join(missing)}."
        )
    if len(set(header)) < len(header):
        raise CorpusError(f"The table {str(path)!r} must name each column once. Got {header}.")
    if ragged := [f"line {line}" for line, row in rows[1:] if len(row) != len(header)]:
        raise CorpusError(
            f"Each row of the table {str(path)!r} must have {len(header)} values, as its first "
            f"row has. Others have {some(ragged)}; put values with a comma into double quotes."
        )
    table = pd.DataFrame([row for _, row in rows[1:]], columns=header, dtype=object)
    table.index = pd.Index([line for line, _ in rows[1:]])
    _check_filled(table, path)
    return table


def _check_filled(table: pd.DataFrame, path: Path) -> None:
    for column in _NEEDED:
        if empty := _lines(table, table[column] == ""):
            raise CorpusError(
                f"The column {column!r} of the table {str(path)!r} must have a value in every "
                f"row. It has none in {some(empty)}."
            )


def _lines(table: pd.DataFrame, chosen: NDArray[np.bool_] | pd.Series) -> list[str]:
    return [f"line {line}" for line in table.index[np.asarray(chosen, dtype=bool)]]


def _find(folder: Path, file: str) -> str:
    """Write a path as this system does; tables may come from Windows."""
    if "\\" in file and not (folder / file).is_file():
        return file.replace("\\", "/")
    return file


def _check_files(folder: Path, table: pd.DataFrame, path: Path) -> None:
    files = list(dict.fromkeys(table["file"]))
    if missing := [file for file in files if not (folder / file).is_file()]:
        raise CorpusError(
            f"The files that the table {str(path)!r} names must lie in {str(folder)!r}; the "
            f"parameter 'root' names another folder. Missing are {len(missing)} of "
            f"{len(files)}: {some(missing)}."
        )


def _to_seconds(table: pd.DataFrame, column: str, path: Path) -> NDArray[np.float64]:
    """Read a column of times; NaN where it is empty or there is none."""
    if column not in table:
        return np.full(len(table), np.nan)
    seconds = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=float)
    given = (table[column] != "").to_numpy()
    if wrong := _lines(table, given & ~(np.isfinite(seconds) & (seconds >= 0))):
        raise CorpusError(
            f"The column {column!r} of the table {str(path)!r} must hold seconds, 0 or more. "
            f"Got others in {some(wrong)}."
        )
    return seconds


def _check_unique(table: pd.DataFrame, times: dict[str, NDArray[np.float64]], path: Path) -> None:
    identity = pd.DataFrame(times, index=table.index)
    identity["file"] = [os.path.normpath(file) for file in table["file"]]
    if twice := _lines(table, identity.duplicated()):
        raise CorpusError(
            f"The table {str(path)!r} must name each utterance once, by its file, start and end. "
            f"Named again in {some(twice)}."
        )


def _measure(folder: Path, table: pd.DataFrame) -> NDArray[np.float64]:
    """Read the length (s) of each row's recording, of each file once."""
    files = list(dict.fromkeys(table["file"]))
    lengths = dict(zip(files, read_durations(folder, files), strict=True))
    return np.array([lengths[file] for file in table["file"]])


def _check_times(
    table: pd.DataFrame,
    times: dict[str, NDArray[np.float64]],
    lengths: NDArray[np.float64],
    path: Path,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fill in the times that are empty, and refuse those that are not in the recording."""
    start = np.nan_to_num(times["start"], nan=0.0)
    end = np.where(np.isnan(times["end"]), lengths, times["end"])
    wrong = (start >= end) | (start >= lengths) | (end > lengths + _ROUNDING)
    if wrong.any():
        which = [
            f"line {line} ({a:g} to {b:g} of {length:g} s)"
            for line, a, b, length in zip(
                table.index[wrong], start[wrong], end[wrong], lengths[wrong], strict=True
            )
        ]
        raise CorpusError(
            f"Each utterance of the table {str(path)!r} must start before it ends and end within "
            f"its recording. {len(which)} do not: {some(which)}."
        )
    return start, np.minimum(end, lengths)


def _read_parts(
    folder: Path,
    table: pd.DataFrame,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    *,
    sample_rate: int,
) -> list[NDArray[np.float32]]:
    waveforms = []
    problems: list[SkserError] = []
    notes: dict[str, TruncatedAudioWarning] = {}
    for file, first, last in zip(table["file"], start, end, strict=True):
        try:
            waveform, note = read_audio(
                folder / file, sample_rate=sample_rate, start=first, end=last
            )
        except SkserError as error:
            problems.append(error)
            continue
        waveforms.append(waveform)
        if note is not None:
            notes[file] = note
    if problems:
        raise type(problems[0])(" ".join(map(str, problems[:10])))
    for note in notes.values():
        warnings.warn(note, stacklevel=4)  # past load_table and its wrapper
    return waveforms
