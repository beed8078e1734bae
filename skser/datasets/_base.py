"""What all corpora share: one table of utterances, given as a scikit-learn Bunch."""

from collections.abc import Mapping, Sequence
from importlib import resources
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from .._text import some
from ..exceptions import CorpusError

COLUMNS = ("file", "label", "speaker", "gender", "text", "duration")


def make_bunch(
    frame: pd.DataFrame,
    *,
    name: str,
    descr: str,
    root: str | PathLike = ".",
    data: Sequence | None = None,
) -> Bunch:
    """Turn a table of utterances into a corpus.

    The loaders of this package all end here, and a corpus of your own can as well.

    Parameters
    ----------
    frame : DataFrame of shape (n_samples, n_columns)
        One row an utterance. Needed columns:

        - `file`: path relative to `root` (or absolute), unlike that of any other row, unless
          columns `start` and `end` say which part of it is meant;
        - `label`: the emotion;
        - `speaker`: who speaks.

        Columns that may be missing, and are then filled with missing values:

        - `gender`: "female" or "male";
        - `text`: code of what is said, equal in two utterances that say the same;
        - `duration`: length in seconds.

        Further columns are kept behind these, such as `session` where a corpus was recorded in
        sessions.
    name : str
        Short name of the corpus, such as "emodb". Results are printed under it.
    descr : str
        Description of the corpus: source, licence, size, citation.
    root : str or path-like, default="."
        The folder that the paths in `file` start from.
    data : sequence of n_samples ndarrays of shape (n_timestamps,), default=None
        The waveforms, for a corpus that lies in memory. By default, `data` are the paths in
        `file`.

    Returns
    -------
    bunch : Bunch
        With these attributes:

        data : list of n_samples str or ndarrays
            Absolute paths of the recordings, or the waveforms given.
        target : ndarray of shape (n_samples,)
            Emotion labels.
        groups : ndarray of shape (n_samples,)
            Speakers.
        target_names : list of str
            The labels that occur, sorted.
        frame : DataFrame of shape (n_samples, n_columns)
            The table, rows numbered from 0.
        DESCR : str
            The description.
        name : str
            The short name.

    Raises
    ------
    CorpusError
        If the table is empty, lacks a needed column or value, names a file twice, or has
        another length than `data`.
    """
    _check_table(frame, name=name, data=data)
    table = frame.reset_index(drop=True)
    table = table.reindex(columns=[*COLUMNS, *(c for c in table.columns if c not in COLUMNS)])
    for column in ("file", "label", "speaker"):
        table[column] = table[column].astype(str)
    if data is None:
        folder = Path(root).absolute()
        data = [str(folder / file) for file in table["file"]]
    target = table["label"].to_numpy(dtype=np.str_)
    return Bunch(
        data=list(data),
        target=target,
        groups=table["speaker"].to_numpy(dtype=np.str_),
        target_names=[str(label) for label in np.unique(target)],
        frame=table,
        DESCR=descr,
        name=name,
    )


def read_descr(name: str) -> str:
    """Read the description of a corpus that ships with the package."""
    return (resources.files(__package__) / "descr" / f"{name}.rst").read_text(encoding="utf-8")


def check_label_map(label_map: Mapping[str, str | None], *, function: str) -> None:
    """Refuse a mapping of labels with anything else than text, or None, in it."""
    for code, label in label_map.items():
        if not isinstance(code, str) or not (label is None or (label and isinstance(label, str))):
            raise CorpusError(
                f"The 'label_map' parameter of {function} must map text to text or None. "
                f"Got {code!r}: {label!r}."
            )


def _check_table(frame: pd.DataFrame, *, name: str, data: Sequence | None) -> None:
    needed = ("file", "label", "speaker")
    if missing := [column for column in needed if column not in frame.columns]:
        raise CorpusError(
            f"The table of corpus {name!r} must have the columns 'file', 'label' and 'speaker'. "
            f"Missing: {', '.join(missing)}."
        )
    if frame.empty:
        raise CorpusError(f"The table of corpus {name!r} must have at least one row. Got none.")
    for column in needed:
        if n_empty := int(frame[column].isna().sum()):
            raise CorpusError(
                f"The column {column!r} of corpus {name!r} must have a value in every row. "
                f"Got {n_empty} without."
            )
    identity = [column for column in ("file", "start", "end") if column in frame.columns]
    twice = frame["file"][frame.duplicated(identity)]
    if len(twice):
        raise CorpusError(
            f"The column 'file' of corpus {name!r} must name each file once. "
            f"Named again: {some([str(file) for file in twice])}."
        )
    if data is not None and len(data) != len(frame):
        raise CorpusError(
            f"Corpus {name!r} must have as many waveforms as rows. "
            f"Got {len(data)} waveforms and {len(frame)} rows."
        )
