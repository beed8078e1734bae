"""A folder of recordings whose names say who speaks and how."""

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from ..exceptions import CorpusError, IncompleteCorpusWarning
from ._base import check_label_map, make_bunch, read_descr
from ._reading import (
    Tally,
    describe_reading,
    find_folder,
    is_audio,
    list_files,
    read_durations,
)

Row = dict[str, str]


@validate_params(
    {
        "root": [str, PathLike],
        "pattern": [str, re.Pattern],
        "label_map": [Mapping, None],
        "name": [str],
        "descr": [str, None],
    },
    prefer_skip_nested_validation=True,
)
def load_audio_folder(
    root: str | PathLike,
    pattern: str | re.Pattern[str],
    *,
    label_map: Mapping[str, str | None] | None = None,
    name: str = "folder",
    descr: str | None = None,
) -> Bunch:
    r"""Read a folder of recordings whose paths say who speaks and how.

    Parameters
    ----------
    root : str or path-like
        The folder. All WAV, FLAC, OGG and MP3 files in it and in its subfolders are
        looked at; hidden files and folders are not.
    pattern : str or re.Pattern
        A regular expression that is searched for in each file's path relative to `root`, with
        "/" between folders on every system. It must have the named groups `speaker` and
        `label`; each further named group becomes a column.
    label_map : mapping of str to str or None, default=None
        The emotion for each text that the group `label` finds; None as a value leaves these
        files out. By default, that text is the emotion.
    name : str, default="folder"
        Short name of the corpus.
    descr : str, default=None
        Description of the corpus.

    Returns
    -------
    bunch : Bunch
        The corpus as :func:`make_bunch` describes it, sorted by path, with one more
        attribute:

        skipped : dict of str to list of str
            The files that were not taken, by reason. `DESCR` ends with their numbers.

    Raises
    ------
    CorpusError
        If the folder is missing, the pattern is no regular expression or lacks a group,
        `label_map` maps to something else than text, or no file is left.
    AudioFileError
        If a recording cannot be read.

    Warns
    -----
    SkippedFilesWarning
        If recordings were left out because their path does not match, because `label_map`
        does not know their label, or because they have another format. What `label_map` maps
        to None was meant to be left out.

    See Also
    --------
    load_table : Read a corpus that a CSV file lists.

    Examples
    --------
    The files `recordings/anna/anger_01.wav`, `recordings/ben/joy_01.wav` and so on:

    >>> from skser.datasets import load_audio_folder
    >>> corpus = load_audio_folder(
    ...     "recordings",
    ...     r"(?P<speaker>\w+)/(?P<label>[a-z]+)_\d+",
    ...     label_map={"anger": "anger", "joy": "happiness", "test": None},
    ... )  # doctest: +SKIP
    """
    compiled = _check_pattern(pattern)
    if label_map is not None:
        check_label_map(label_map, function="load_audio_folder")
    folder = find_folder(root, loader="load_audio_folder", what="the recordings")
    tally = Tally()
    rows = _read_rows(folder, compiled, label_map, tally)
    if not rows:
        raise CorpusError(
            f"The folder {str(folder)!r} must hold recordings whose path matches the pattern "
            f"{compiled.pattern!r}. {_nothing_taken(tally)}"
        )
    if descr is None:
        descr = f"Recordings of a folder, by the pattern ``{compiled.pattern}``."
    bunch = _finish(folder, rows, tally, name=name, descr=descr)
    tally.warn(name, stacklevel=3)  # past the wrapper of validate_params
    return bunch


def _no_columns(row: Row) -> Row:  # noqa: ARG001 - the shape of the others
    return {}


@dataclass(frozen=True, kw_only=True)
class Release:
    """What is known of a published corpus: its names, its emotions and its size."""

    name: str
    title: str
    example: str  # the name of one recording
    pattern: str
    label_map: Mapping[str, str]
    n_recordings: int
    n_speakers: int
    inner: str = ""  # the subfolder of the recordings, if `root` has it
    columns: Callable[[Row], Row] = _no_columns  # further columns, or other values of some
    leave_out: Mapping[str, str] = field(default_factory=dict)  # patterns, and why not to take


def load_release(release: Release, root: str | PathLike) -> Bunch:
    """Read a published corpus; to be called by a public function that checks its parameters."""
    recordings = f"{release.title}'s recordings, such as {release.example}"
    folder = find_folder(root, loader=f"load_{release.name}", what=recordings)
    if release.inner and (folder / release.inner).is_dir():
        folder = folder / release.inner
    tally = Tally()
    rows = _read_rows(folder, re.compile(release.pattern), release.label_map, tally, release)
    if not rows:
        raise CorpusError(
            f"The folder {str(folder)!r} must hold {recordings}. {_nothing_taken(tally)}"
        )
    bunch = _finish(folder, rows, tally, name=release.name, descr=read_descr(release.name))
    tally.warn(release.title, stacklevel=4)  # past the public function and its wrapper
    if difference := _find_difference(release, rows):
        warnings.warn(
            f"{release.title} in {str(folder)!r}: {difference}. "
            f"Results on it cannot be compared with those on the whole corpus.",
            IncompleteCorpusWarning,
            stacklevel=4,
        )
    return bunch


def _find_difference(release: Release, rows: list[Row]) -> str:
    """Say in what the recordings' numbers differ from the release's; empty if in nothing."""
    n_speakers = len({row["speaker"] for row in rows})
    if len(rows) < release.n_recordings:
        return (
            f"{len(rows)} of the {release.n_recordings} official recordings are there, by "
            f"{n_speakers} of {release.n_speakers} speakers"
        )
    if len(rows) > release.n_recordings:
        return f"{len(rows)} recordings are there, and the release has {release.n_recordings}"
    return ""


def _read_rows(
    folder: Path,
    pattern: re.Pattern[str],
    label_map: Mapping[str, str | None] | None,
    tally: Tally,
    release: Release | None = None,
) -> list[Row]:
    """Make a row of each file that is taken, and count the others."""
    rows = []
    seen: set[tuple] = set()
    for file in list_files(folder):
        if not is_audio(file):
            tally.skip_no_audio(file)
            continue
        if release is not None and (reason := _left_out(release, file)):
            tally.skip(file, reason, expected=True)
            continue
        match = pattern.search(file)
        if match is None:
            tally.skip(file, "the name does not match the pattern", expected=False)
            continue
        row = match.groupdict()
        if release is not None:
            row |= release.columns(row)
            # Some copies of a release hold everything twice, one folder inside the other.
            identity = tuple(row.values())
            if identity in seen:
                tally.skip(file, "a second copy of a recording", expected=False)
                continue
            seen.add(identity)
        if _apply(label_map, row, file, tally):
            rows.append({"file": file, **row})
    tally.n_taken = len(rows)
    return rows


def _left_out(release: Release, file: str) -> str | None:
    reasons = (why for pattern, why in release.leave_out.items() if re.search(pattern, file))
    return next(reasons, None)


def _apply(label_map: Mapping[str, str | None] | None, row: Row, file: str, tally: Tally) -> bool:
    """Put the emotion into a row, or count its file as skipped."""
    if not row["speaker"] or not row["label"]:  # a group that took no part in the match
        tally.skip(file, "the pattern finds no speaker or no label", expected=False)
        return False
    if label_map is None:
        return True
    code = row["label"]
    if code not in label_map:
        tally.skip(file, f"unknown label code {code!r}", expected=False)
        return False
    label = label_map[code]
    if label is None:
        tally.skip(file, f"label code {code!r} is mapped to None", expected=True)
        return False
    row["label"] = label
    return True


def _finish(folder: Path, rows: list[Row], tally: Tally, *, name: str, descr: str) -> Bunch:
    frame = pd.DataFrame(rows)
    frame["duration"] = read_durations(folder, [row["file"] for row in rows])
    bunch = make_bunch(frame, name=name, descr=describe_reading(descr, tally), root=folder)
    bunch.skipped = tally.skipped
    return bunch


def _nothing_taken(tally: Tally) -> str:
    if not tally.skipped:
        return "It is empty."
    return f"Of its files, {tally}. First of each: {tally.examples()}."


def _check_pattern(pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise CorpusError(
            f"The 'pattern' parameter of load_audio_folder must be a regular expression. "
            f"Got {pattern!r}: {error}."
        ) from error
    if not isinstance(compiled.pattern, str):
        raise CorpusError(
            "The 'pattern' parameter of load_audio_folder must match text. Got a pattern of bytes."
        )
    groups = compiled.groupindex.keys()
    if missing := [group for group in ("speaker", "label") if group not in groups]:
        raise CorpusError(
            f"The 'pattern' parameter of load_audio_folder must have the named groups "
            f"(?P<speaker>...) and (?P<label>...). Got {compiled.pattern!r} without "
            f"{' and '.join(missing)}."
        )
    if reserved := [group for group in ("file", "duration") if group in groups]:
        raise CorpusError(
            f"The 'pattern' parameter of load_audio_folder must not have a group named "
            f"{' or '.join(reserved)}: this column is read from the file itself. Rename the group."
        )
    return compiled
