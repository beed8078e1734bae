"""EMO-DB, the Berlin Database of Emotional Speech."""

import hashlib
import os
import re
import warnings
from importlib import resources
from os import PathLike
from pathlib import Path

import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from .._text import some
from ..exceptions import CorpusError, IncompleteCorpusWarning
from ._base import make_bunch, read_descr
from ._download import download, unpack
from ._reading import Tally, describe_reading, is_audio, local_path, read_durations

OFFICIAL_URL = "http://emodb.bilderbar.info/download/download.zip"

EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
GENDERS = {
    "03": "male",
    "08": "female",
    "09": "female",
    "10": "male",
    "11": "male",
    "12": "male",
    "13": "female",
    "14": "female",
    "15": "male",
    "16": "female",
}
TEXTS = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")

_FILE_NAME = re.compile(
    rf"(?P<speaker>{'|'.join(GENDERS)})(?P<text>{'|'.join(TEXTS)})"
    rf"(?P<emotion>[{''.join(EMOTIONS)}])(?P<version>[a-f])\.wav"
)
_INFO_FILES = ("erkennung.txt", "erklaerung.txt")


@validate_params(
    {"root": [str, PathLike], "verify": ["boolean"]}, prefer_skip_nested_validation=True
)
def load_emodb(root: str | PathLike, *, verify: bool = False) -> Bunch:
    """Read EMO-DB from a folder.

    Parameters
    ----------
    root : str or path-like
        The folder that the official archive was unpacked into, which holds `wav/`, or the
        folder that holds the recordings themselves. Files in it that are not WAV are not
        taken, but counted.
    verify : bool, default=False
        Whether the folder must hold all 535 official recordings, byte for byte. Otherwise a
        part of them is enough, for which a warning is given.

    Returns
    -------
    bunch : Bunch
        The corpus, utterances sorted by file name, with these attributes:

        data : list of n_samples str
            Absolute paths of the recordings.
        target : ndarray of shape (n_samples,)
            Emotions: anger, boredom, disgust, fear, happiness, neutral, sadness.
        groups : ndarray of shape (n_samples,)
            Speakers, two digits each.
        target_names : list of str
            The emotions that occur, sorted.
        frame : DataFrame of shape (n_samples, 6)
            Columns `file` (name of the recording), `label`, `speaker`, `gender`, `text` and
            `duration` (s).
        DESCR : str
            Description of the corpus.
        name : str
            "emodb".
        skipped : dict of str to list of str
            The files that were not taken, by reason. `DESCR` ends with their numbers.

    Raises
    ------
    CorpusError
        If the folder is missing, holds no recordings, or holds WAV files that are not named
        as EMO-DB names them; with `verify`, also if recordings are missing, altered or not
        part of the release.
    AudioFileError
        If a recording cannot be read.

    Warns
    -----
    IncompleteCorpusWarning
        If official recordings are missing or others are among them.
    SkippedFilesWarning
        If there are recordings of another format.

    See Also
    --------
    fetch_emodb : Download the corpus first.

    References
    ----------
    .. [1] F. Burkhardt, A. Paeschke, M. Rolfes, W. F. Sendlmeier and B. Weiss, "A database
       of German emotional speech", in Proc. Interspeech, 2005, pp. 1517-1520.
    """
    folder = _find_wav_folder(local_path(root))
    tally = Tally()
    files = _list_recordings(folder, tally)
    if not verify:
        _warn_of_difference(folder, files)
    elif faults := _find_faults(folder, files):
        raise CorpusError(
            f"The folder {str(folder)!r} must hold the official recordings of EMO-DB, byte for "
            f"byte. Got {faults}."
        )
    frame = pd.DataFrame([_describe(file) for file in files])
    frame["duration"] = read_durations(folder, files)
    descr = describe_reading(read_descr("emodb"), tally)
    bunch = make_bunch(frame, name="emodb", descr=descr, root=folder)
    bunch.skipped = tally.skipped
    tally.warn("EMO-DB", stacklevel=3)  # past the wrapper of validate_params
    return bunch


@validate_params(
    {
        "data_home": [str, PathLike, None],
        "url": [str],
        "verify": ["boolean"],
        "progress": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def fetch_emodb(
    *,
    data_home: str | PathLike | None = None,
    url: str = OFFICIAL_URL,
    verify: bool = True,
    progress: bool = True,
) -> Bunch:
    """Download EMO-DB (about 40 MB), or read it where it was downloaded to before.

    A download that was cut goes on where it stopped, in this call or the next. Once the
    corpus lies on the disk, the network is not used again.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The folder for all corpora; this one is put into its subfolder `emodb`. By default,
        the folder that the environment variable `SKSER_DATA` names, else the user's cache
        folder.
    url : str, default="http://emodb.bilderbar.info/download/download.zip"
        Address of the official archive, or of a copy of it.
    verify : bool, default=True
        Whether each recording must match the official SHA-256 list, now and whenever it is
        read from the cache.
    progress : bool, default=True
        Whether to show the download's progress, if standard error is a terminal.

    Returns
    -------
    bunch : Bunch
        The corpus, as :func:`load_emodb` describes it.

    Raises
    ------
    CorpusError
        If the download fails, the archive cannot be unpacked, or recordings are missing or
        altered. A bad archive is deleted, so that the next call starts anew.

    See Also
    --------
    load_emodb : Read the corpus from any folder.

    References
    ----------
    .. [1] F. Burkhardt, A. Paeschke, M. Rolfes, W. F. Sendlmeier and B. Weiss, "A database
       of German emotional speech", in Proc. Interspeech, 2005, pp. 1517-1520.
    """
    home = _data_home(data_home)
    folder = home / "emodb"
    if not (folder / "wav").is_dir():
        _install(url, folder, verify=verify, progress=progress)
    try:
        return load_emodb(folder, verify=verify)
    except CorpusError as error:
        raise CorpusError(
            f"The copy of EMO-DB that was downloaded before is damaged. {error} "
            f"Delete the folder {folder} and call fetch_emodb again."
        ) from error


def _data_home(data_home: str | PathLike | None) -> Path:
    if data_home is None:
        data_home = os.environ.get("SKSER_DATA") or None
    if data_home is None:
        import pooch  # only needed here: reading a corpus must not wait for its import

        data_home = pooch.os_cache("skser")
    return Path(data_home).expanduser().absolute()


def _install(url: str, folder: Path, *, verify: bool, progress: bool) -> None:
    """Download the archive and unpack it into `folder`, all of it or nothing."""
    archive = download(url, folder.with_suffix(".zip"), progress=progress)
    try:
        with unpack(archive, place_of=_place_of, into=folder) as unpacked:
            _check_unpacked(unpacked / "wav", verify=verify)
    except CorpusError as error:
        archive.unlink()
        raise CorpusError(
            f"The archive from {url} must hold the official EMO-DB recordings, byte for byte. "
            f"{error} The archive was deleted: call fetch_emodb again, or pass the 'url' of a "
            f"good copy."
        ) from error
    archive.unlink()


def _check_unpacked(wav: Path, *, verify: bool) -> None:
    if not wav.is_dir():
        raise CorpusError("Got none of them.")
    if verify and (faults := _find_faults(wav, _list_recordings(wav, Tally()))):
        raise CorpusError(f"Got {faults}.")


def _place_of(member: str) -> str | None:
    """Say where a file of the archive goes; only known names get a place."""
    file = member.rsplit("/", maxsplit=1)[-1]
    if _FILE_NAME.fullmatch(file):
        return f"wav/{file}"
    return file if file in _INFO_FILES else None


def _find_wav_folder(root: Path) -> Path:
    if not root.is_dir():
        raise CorpusError(
            f"The 'root' parameter of load_emodb must be the folder that EMO-DB was unpacked "
            f"into, or its folder 'wav'. Got {str(root)!r}, which is no folder. "
            f"skser.datasets.fetch_emodb() downloads the corpus."
        )
    inner = root / "wav"
    return inner if inner.is_dir() else root


def _list_recordings(folder: Path, tally: Tally) -> list[str]:
    """List the WAV files of a folder, and count what else is in it."""
    files = []
    for file in sorted(path.name for path in folder.iterdir() if not path.is_dir()):
        if not is_audio(file):
            tally.skip_no_audio(file)
        elif file.lower().endswith(".wav"):
            files.append(file)
        else:
            tally.skip(file, "no WAV file, as EMO-DB's are", expected=False)
    if not files:
        raise CorpusError(
            f"The folder {str(folder)!r} must hold EMO-DB's recordings, such as 03a01Fa.wav. "
            f"Got no WAV file in it."
        )
    tally.n_taken = len(files)
    if odd := [file for file in files if not _FILE_NAME.fullmatch(file)]:
        raise CorpusError(
            f"WAV files of EMO-DB must be named by speaker, text, emotion and version, such as "
            f"03a01Fa.wav. Got {len(odd)} other in {str(folder)!r}: {some(odd)}. "
            f"Move them to another folder."
        )
    return files


def _describe(file: str) -> dict[str, str]:
    """Make one row of the table, from the recording's name."""
    parts = _FILE_NAME.fullmatch(file)
    assert parts is not None  # _list_recordings has refused every other name
    return {
        "file": file,
        "label": EMOTIONS[parts["emotion"]],
        "speaker": parts["speaker"],
        "gender": GENDERS[parts["speaker"]],
        "text": parts["text"],
    }


def _official_hashes() -> dict[str, str]:
    """Read the SHA-256 of each official recording, by file name."""
    table = resources.files(__package__) / "data" / "emodb.sha256"
    lines = table.read_text(encoding="ascii").splitlines()
    return {file: sha256 for sha256, file in (line.split() for line in lines)}


def _find_faults(folder: Path, files: list[str]) -> str:
    """Say in what the recordings differ from the official release; empty if in nothing."""
    official = _official_hashes()
    faults = {
        "missing": sorted(official.keys() - set(files)),
        "not part of the release": sorted(set(files) - official.keys()),
        "altered": [f for f in files if f in official and _sha256(folder / f) != official[f]],
    }
    return "; ".join(f"{len(bad)} {how}: {some(bad)}" for how, bad in faults.items() if bad)


def _warn_of_difference(folder: Path, files: list[str]) -> None:
    official = _official_hashes().keys()
    missing = sorted(official - set(files))
    extra = sorted(set(files) - official)
    parts = []
    if missing:
        parts.append(
            f"{len(missing)} of the {len(official)} official recordings are missing "
            f"(first: {missing[0]})"
        )
    if extra:
        parts.append(f"{len(extra)} are not part of the release (first: {extra[0]})")
    if parts:
        warnings.warn(
            f"EMO-DB in {str(folder)!r}: {' and '.join(parts)}. Results on it cannot be compared "
            f"with those on the whole corpus.",
            IncompleteCorpusWarning,
            stacklevel=4,  # past the wrapper of validate_params, to the caller of load_emodb
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
