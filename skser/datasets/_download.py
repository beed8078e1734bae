"""Get an archive over a network that may fail, and unpack no more than is wanted."""

import hashlib
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..exceptions import CorpusError

_CHUNK = 8192  # bytes; what a cut connection has brought of the last one is lost
_TIMEOUT = 30  # seconds without an answer or any byte
_MAX_CONNECTIONS = 5


def download(url: str, target: Path, *, progress: bool) -> Path:
    """Download a file unless it is there, and say in one sentence what went wrong."""
    import pooch
    import requests

    # No known hash: a copy may be packed otherwise than the official archive, and each file
    # in it is checked once it is unpacked.
    store = pooch.create(
        path=target.parent, base_url="", registry={target.name: None}, urls={target.name: url}
    )
    # One for each address: the rest of one server's file must not continue another's.
    address = hashlib.sha256(url.encode()).hexdigest()[:8]
    part = target.with_name(f"{target.name}.{address}.part")
    try:
        store.fetch(target.name, downloader=ResumingDownloader(part, progress=progress))
    except requests.RequestException as error:
        kept = f" What came so far is kept: {part}." if part.exists() else ""
        raise CorpusError(
            f"The archive at {url} could not be downloaded ({_cause(error)}).{kept} Call again "
            f"to go on, pass the 'url' of a copy, or download the archive by hand, unpack it "
            f"and pass its folder to the load function."
        ) from error
    for left_over in target.parent.glob(f"{target.name}.*.part"):
        left_over.unlink()
    return target


class ResumingDownloader:
    """Download over HTTP for pooch, going on where an earlier download was cut.

    Parameters
    ----------
    part : Path
        Where the bytes are kept until the download is complete.
    progress : bool
        Whether to show the progress, if standard error is a terminal.
    """

    def __init__(self, part: Path, *, progress: bool) -> None:
        self.part = part
        self.progress = progress

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:  # noqa: ARG002 - its call
        """Download `url` to `output_file`, by as many connections as it takes."""
        import requests

        for connection in range(1, _MAX_CONNECTIONS + 1):
            kept = self._n_kept()
            try:
                self._receive(url)
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                # Worth another connection only if this one changed what there is to ask for.
                if connection == _MAX_CONNECTIONS or self._n_kept() == kept:
                    raise
            else:
                break
        shutil.move(self.part, output_file)

    def _n_kept(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _receive(self, url: str) -> None:
        """Ask for what is missing by one connection, and add it to what is kept."""
        import requests

        kept = self._n_kept()
        # Byte ranges count the stored bytes, so the server must not compress them on the way.
        headers = {"Accept-Encoding": "identity"}
        if kept:
            headers["Range"] = f"bytes={kept}-"
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            sent = response.headers.get("Content-Range", "")
            if kept and sent == f"bytes */{kept}":
                return  # complete already; only the end of the last call was cut
            if response.status_code in (206, 416) and not sent.startswith(f"bytes {kept}-"):
                # What is kept is longer than the file, or the server sends another range.
                self.part.unlink(missing_ok=True)
                raise requests.ConnectionError("the server cannot go on with what was kept")
            response.raise_for_status()
            self._store(response, kept if response.status_code == 206 else 0)

    def _store(self, response: Any, kept: int) -> None:
        length = response.headers.get("Content-Length")
        total = kept + int(length) if length else None
        self.part.parent.mkdir(parents=True, exist_ok=True)
        with (
            self.part.open("ab" if kept else "wb") as stream,
            _progress_bar(kept, total, wanted=self.progress) as advance,
        ):
            for chunk in response.iter_content(_CHUNK):
                stream.write(chunk)
                advance(len(chunk))


@contextmanager
def unpack(archive: Path, *, place_of: Callable[[str], str | None], into: Path) -> Iterator[Path]:
    """Unpack an archive into a folder, all of it or nothing.

    Yields the temporary folder that holds the files, so that they can be checked; unless the
    check raises, they are then moved to where they belong.

    Parameters
    ----------
    archive : Path
        The ZIP file.
    place_of : callable
        Gives for the name of a file in the archive the path to unpack it to, or None for one
        that is not wanted. As the archive never chooses a path, it cannot write elsewhere.
    into : Path
        The folder to fill; made if missing.

    Raises
    ------
    CorpusError
        If the archive is damaged or no ZIP file.
    """
    into.parent.mkdir(parents=True, exist_ok=True)
    # In the same file system, so that the files can be moved in one step.
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=f".{into.name}-") as scratch:
        unpacked = Path(scratch)
        try:
            with zipfile.ZipFile(archive) as source:
                for member in source.infolist():
                    place = place_of(member.filename)
                    if place is not None:
                        _copy(source, member, unpacked / place)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise CorpusError(f"It cannot be unpacked ({error}).") from error
        yield unpacked
        into.mkdir(exist_ok=True)
        for entry in sorted(unpacked.iterdir()):
            _move(entry, into / entry.name)


def _copy(source: zipfile.ZipFile, member: zipfile.ZipInfo, place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    with source.open(member) as packed, place.open("wb") as stream:
        shutil.copyfileobj(packed, stream)


def _move(entry: Path, place: Path) -> None:
    try:
        entry.replace(place)
    except OSError:
        # Another process that unpacks the same archive may have been faster.
        if not (entry.is_dir() and place.is_dir()):
            raise


@contextmanager
def _progress_bar(kept: int, total: int | None, *, wanted: bool) -> Iterator[Callable[[int], None]]:
    if not wanted:
        yield lambda n_bytes: None  # noqa: ARG005 - no bar
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("Downloading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", completed=kept, total=total)
        yield lambda n_bytes: bar.advance(task, n_bytes)


def _cause(error: Exception) -> str:
    """Say what went wrong in one line, without the connection pool's inner words."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code} {response.reason}"
    return f"{type(error).__name__}, the server cannot be reached or broke off"
