"""What the loaders of folders share: finding files, reading headers, counting what was skipped."""

import os
import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path, PureWindowsPath

import soundfile as sf

from .._text import some
from ..exceptions import AudioFileError, CorpusError, SkippedFilesWarning

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")

# Speech as well, which must not pass for a text file beside it.
_OTHER_SUFFIXES = (".aac", ".aif", ".aiff", ".amr", ".au", ".m4a", ".opus", ".sph", ".wma")

_LFS_POINTER = b"version https://git-lfs"


class Tally:
    """Which files were taken, and which were skipped and why.

    A reason is expected if the caller or the corpus' description has declared it; any other
    deserves a warning.
    """

    def __init__(self) -> None:
        self.n_taken = 0
        self.skipped: dict[str, list[str]] = {}
        self._unexpected: set[str] = set()

    def skip(self, file: str, reason: str, *, expected: bool) -> None:
        """Count one file that is left out."""
        self.skipped.setdefault(reason, []).append(file)
        if not expected:
            self._unexpected.add(reason)

    def skip_no_audio(self, file: str) -> None:
        """Count a file that `is_audio` refuses."""
        if _is_named(file, _OTHER_SUFFIXES):
            self.skip(file, "audio of a format that is not read", expected=False)
        else:
            self.skip(file, "not audio", expected=True)

    def __str__(self) -> str:
        n_skipped = sum(map(len, self.skipped.values()))
        reasons = "; ".join(f"{len(files)}: {reason}" for reason, files in self._by_count())
        return f"took {self.n_taken}, skipped {n_skipped}" + (f" ({reasons})" if reasons else "")

    def examples(self) -> str:
        """Name the first file of each reason."""
        return "; ".join(f"{reason}: {files[0]}" for reason, files in self._by_count())

    def warn(self, name: str, *, stacklevel: int) -> None:
        """Warn of recordings that were skipped for a reason that nobody had declared."""
        parts = [
            f"{len(files)}: {reason} (first: {files[0]})"
            for reason, files in self._by_count()
            if reason in self._unexpected
        ]
        if parts:
            warnings.warn(
                f"Corpus {name!r}: took {self.n_taken} recordings and left out others: "
                f"{'; '.join(parts)}. Its attribute 'skipped' lists them all.",
                SkippedFilesWarning,
                stacklevel=stacklevel + 1,
            )

    def _by_count(self) -> list[tuple[str, list[str]]]:
        return sorted(self.skipped.items(), key=lambda item: -len(item[1]))


def describe_reading(descr: str, tally: Tally) -> str:
    """Add to a description what was taken and skipped."""
    return f"{descr.rstrip()}\n\n**Files.** This reading {tally}.\n"


def local_path(path: str | PathLike) -> Path:
    """Return a path, also where it was written with a backslash and this system has none."""
    written = Path(path).expanduser()
    if os.sep == "/" and "\\" in str(written) and not written.exists():
        return Path(PureWindowsPath(written).as_posix())
    return written


def find_folder(root: str | PathLike, *, loader: str, what: str) -> Path:
    """Return `root`, which must be a folder, or say what it should hold."""
    folder = local_path(root)
    if not folder.is_dir():
        raise CorpusError(
            f"The 'root' parameter of {loader} must be the folder that holds {what}. "
            f"Got {str(root)!r}, which is no folder."
        )
    return folder


def list_files(folder: Path) -> list[str]:
    """List all files below a folder, as sorted POSIX paths relative to it.

    Hidden folders (such as .git) are not looked into; links to folders are followed, unless
    they lead back to a folder that they are in.
    """
    found = []
    above: dict[str, tuple[str, ...]] = {}
    for inner, folders, files in os.walk(folder, followlinks=True, onerror=_refuse):
        real = os.path.realpath(inner)
        outer = above.get(str(Path(inner).parent), ())
        if real in outer:
            folders.clear()
            continue
        above[str(Path(inner))] = (*outer, real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [(Path(inner) / file).relative_to(folder).as_posix() for file in files]
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise CorpusError(
        f"The folder {error.filename!r} cannot be read ({error.strerror}), so recordings may be "
        f"missing. Give yourself the right to read it, or move it elsewhere."
    ) from error


def is_audio(file: str) -> bool:
    """Tell by its name whether a file is a recording; "._a.wav" is not, but macOS' leftovers."""
    return _is_named(file, AUDIO_SUFFIXES)


def _is_named(file: str, suffixes: tuple[str, ...]) -> bool:
    name = file.rsplit("/", maxsplit=1)[-1]
    return name.lower().endswith(suffixes) and not name.startswith(".")


def read_durations(folder: Path, files: Sequence[str]) -> list[float]:
    """Read the length of each recording (s) from its header, or name all that have none."""
    durations, bad = [], []
    for file in files:
        try:
            header = sf.info(folder / file)
        # A name that ends in .raw is a TypeError.
        except (sf.SoundFileError, OSError, TypeError, ValueError) as error:
            bad.append(f"{file} ({_fault(folder / file, error)})")
            continue
        durations.append(header.frames / header.samplerate)
        if not header.frames:
            bad.append(f"{file} (no samples)")
    if bad:
        raise AudioFileError(
            f"{len(bad)} of {len(files)} recordings in {str(folder)!r} cannot be read: "
            f"{some(bad)}. Replace them by good copies, or remove them."
        )
    return durations


def _fault(path: Path, error: Exception) -> str:
    if not path.is_file():
        return "no such file"
    with path.open("rb") as stream:
        start = stream.read(len(_LFS_POINTER))
    if not start:
        return "empty"
    if start == _LFS_POINTER:
        return "a Git LFS pointer; 'git lfs pull' fetches the recording itself"
    return str(getattr(error, "error_string", error)).rstrip(".")
