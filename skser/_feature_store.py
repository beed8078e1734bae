"""A folder of features that were computed before: found by key, checked on reading, limited."""

import hashlib
import json
import os
import struct
import time
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ._array_file import ArrayFile
from ._file_lock import locked_file
from ._files import replaced_file, write_json, writing_cache
from .exceptions import CacheError

FORMAT_VERSION = 1
KINDS = ("entries", "names", "arrays")

_FORMAT = "skser feature cache"
_SETTINGS, _LEDGER = "skser-cache.json", "ledger.json"
_NO_COUNTS = MappingProxyType({"hits": 0, "misses": 0, "n_bytes": 0})
_MAX_BYTES = 20 * 2**30
_HEADER = struct.Struct("<8sQQ32s8x")  # 64 bytes, so that what follows is aligned
_MAGIC = b"skserF32"
_STALE = 3600  # s; a temporary file of that age was left behind by a process that was killed
_UNTOUCHED = 60  # s; the time of the last use is kept no more precisely


class FeatureStore:
    """Float32 arrays in a folder that any number of processes and threads share.

    Files are written under another name first, so a reader finds a whole one or none, and what it
    finds is compared with its checksum. The time of a file is that of its last use. It is a
    context: what was counted inside the `with` block is added to the counts of the folder.

    Parameters
    ----------
    folder : path-like
        The folder.
    create : bool, default=True
        Whether to make it when it is missing or empty.
    max_bytes : int or None, default=None
        Size that its files may take from now on; None leaves it as it is.

    Raises
    ------
    CacheError
        If the folder is no cache, is of another version, or cannot be written to.
    """

    def __init__(
        self, folder: str | os.PathLike, *, create: bool = True, max_bytes: int | None = None
    ) -> None:
        self.folder = Path(folder)
        self.max_bytes = self._open(create=create, max_bytes=max_bytes)
        self._counts = dict(_NO_COUNTS)
        self._made: set[Path] = set()
        self._mutex = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.settle()

    def read(self, key: bytes) -> NDArray[np.float32] | None:
        """Return the 2-D array of a key; None if there is none, or a damaged one."""
        content = _read_file(self._path("entries", key))
        if len(content) < _HEADER.size:
            return None
        magic, n_rows, n_columns, checksum = _HEADER.unpack_from(content)
        if magic != _MAGIC or len(content) != _HEADER.size + 4 * n_rows * n_columns:
            return None
        if checksum != _checksum(key, memoryview(content)[_HEADER.size :]):
            return None
        values = np.frombuffer(content, dtype="<f4", offset=_HEADER.size)
        return values.reshape(n_rows, n_columns)

    def write(self, key: bytes, features: NDArray[np.float32]) -> None:
        """Keep a 2-D array under a key."""
        payload = np.ascontiguousarray(features, dtype="<f4").tobytes()
        header = _HEADER.pack(_MAGIC, *features.shape, _checksum(key, payload))
        self._write_file(self._path("entries", key), header + payload)

    def find(self, name: bytes) -> bytes | None:
        """Return the key that a name stands for, or None."""
        key = bytes(_read_file(self._path("names", name)))
        return key if len(key) == len(name) else None

    def link(self, name: bytes, key: bytes) -> None:
        """Let a name, such as that of a file, stand for a key."""
        self._write_file(self._path("names", name), key)

    def map_array(self, key: bytes, shape: tuple[int, ...]) -> np.memmap | None:
        """Map the array of a key; None if there is none, or one of another shape."""
        path = self._path("arrays", key)
        try:
            mapped = np.load(path, mmap_mode="r")
            used = path.stat().st_mtime
        except (OSError, ValueError):  # missing, cut short, or no array
            return None
        if mapped.shape != shape or mapped.dtype != np.dtype("<f4"):
            return None
        _touch(path, used)
        return mapped

    @contextmanager
    def new_array(self, shape: tuple[int, ...]) -> Iterator[ArrayFile]:
        """Give an array to fill inside the `with` block; `keep_array` gives it a key."""
        n_bytes = 4 * int(np.prod(shape, dtype=np.int64))
        if n_bytes > self.max_bytes // 2:
            raise CacheError(
                f"The features of {shape[0]:,} utterances take {n_bytes:,} bytes, more than half "
                f"of the {self.max_bytes:,} that the cache folder '{self.folder}' may hold; "
                "raise its limit by skser.cache.make_cache."
            )
        with writing_cache(self.folder):
            file = ArrayFile(self.folder, shape)
        try:
            yield file
        finally:
            file.discard()

    def keep_array(self, file: ArrayFile, key: bytes) -> np.memmap:
        """Keep an array that was filled under a key, and map it."""
        path = self._path("arrays", key)
        with writing_cache(self.folder):
            self._make(path.parent)
            n_bytes = file.keep(path)
            mapped = np.load(path, mmap_mode="r")
        self.count(n_bytes=n_bytes)
        return mapped

    @contextmanager
    def locked(self, kind: str, key: bytes, *, wait: bool) -> Iterator[None]:
        """Keep other processes and threads from computing what belongs to a key.

        A lock is that of one key in 256. If another one holds it and `wait` is False,
        BlockingIOError is raised.
        """
        with ExitStack() as stack:
            with writing_cache(self.folder):
                locks = self._make(self.folder / "locks")
                stack.enter_context(locked_file(locks / f"{kind}-{key[:1].hex()}", wait=wait))
            yield

    def count(self, **counts: int) -> None:
        """Add to the counts that `settle` adds to those of the folder."""
        with self._mutex:
            for name, n in counts.items():
                self._counts[name] += n
        if self._counts["n_bytes"] > self.max_bytes // 64:
            self.settle()

    def settle(self) -> None:
        """Add what was counted to the folder's counts, and remove what is beyond its limit."""
        with self._mutex:
            counts, self._counts = self._counts, dict(_NO_COUNTS)
        if not any(counts.values()):
            return
        with suppress(OSError), self.locked("ledger", b"\0", wait=True):  # it may be read-only
            ledger = self._read_ledger()
            total = {name: n + counts[name] for name, n in (ledger or _NO_COUNTS).items()}
            if ledger is None:
                total["n_bytes"] = sum(self.measure()[1].values())
            if total["n_bytes"] > self.max_bytes:
                total["n_bytes"] = self._trim(self.max_bytes - self.max_bytes // 8)
            write_json(self.folder / _LEDGER, total)

    def read_counts(self) -> dict[str, int]:
        """Return the hits and misses of all processes, and about how many bytes there are."""
        return self._read_ledger() or dict(_NO_COUNTS)

    def _read_ledger(self) -> dict[str, int] | None:
        try:
            counts = json.loads((self.folder / _LEDGER).read_text(encoding="utf-8"))
            return {name: int(counts[name]) for name in _NO_COUNTS}
        except (OSError, ValueError, TypeError, KeyError):  # none yet, or it was tampered with
            return None

    def measure(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return the number of files of each kind, and their bytes."""
        numbers, sizes = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
        for kind, _, status in self._files():
            numbers[kind] += 1
            sizes[kind] += status.st_size
        return numbers, sizes

    def clear(self) -> None:
        """Remove all features and begin to count anew."""
        with writing_cache(self.folder):
            for _, path, _ in self._files():
                Path(path).unlink(missing_ok=True)
            (self.folder / _LEDGER).unlink(missing_ok=True)

    def _trim(self, max_bytes: int) -> int:
        """Remove the files that were not used for longest; return the bytes that are left."""
        times, sizes = array("q"), array("q")  # of a million files, if need be
        for _, _, status in self._files():
            times.append(status.st_mtime_ns)
            sizes.append(status.st_size)
        order = np.argsort(times, kind="stable")
        excess = np.cumsum(np.asarray(sizes, dtype=np.int64)[order])
        left = int(excess[-1]) if len(excess) else 0
        if left <= max_bytes:
            return left
        last = times[order[np.searchsorted(excess, left - max_bytes)]]
        for _, path, status in self._files():
            if status.st_mtime_ns <= last:
                with suppress(OSError):  # removed by another process, or in use on Windows
                    Path(path).unlink()
                    left -= status.st_size
        return left

    def _files(self) -> Iterator[tuple[str, str, os.stat_result]]:
        """Yield the kind, path and status of each file that no process is writing."""
        fresh = time.time() - _STALE
        for kind in KINDS:
            for shard in _scan(self.folder / kind):
                for file in _scan(shard.path):
                    with suppress(FileNotFoundError):  # removed by another process
                        status = file.stat()
                        if not file.name.startswith(".") or status.st_mtime < fresh:
                            yield kind, file.path, status

    def _path(self, kind: str, key: bytes) -> Path:
        name = key.hex()
        return self.folder.joinpath(kind, name[:2], name[2:])

    def _make(self, folder: Path) -> Path:
        if folder not in self._made:  # asking the system takes longer
            folder.mkdir(parents=True, exist_ok=True)
            self._made.add(folder)
        return folder

    def _write_file(self, path: Path, content: bytes) -> None:
        with writing_cache(self.folder):
            self._make(path.parent)
            with replaced_file(path) as temporary:
                temporary.write_bytes(content)
        self.count(n_bytes=len(content))

    def _open(self, *, create: bool, max_bytes: int | None) -> int:
        """Check what the folder is, make it if need be, and return its limit in bytes."""
        empty = _is_empty(self.folder)
        path = self.folder / _SETTINGS
        if path.exists():  # looked for last: another process may have made it meanwhile
            settings = _read_settings(path)
        elif create and empty:
            settings = {"format": _FORMAT, "format_version": FORMAT_VERSION}
            max_bytes = max_bytes or _MAX_BYTES
        else:
            raise CacheError(
                f"The folder '{self.folder}' is no feature cache; give one, or for a new one a "
                "folder that is empty or does not exist."
            )
        if max_bytes is not None:
            settings["max_bytes"] = max_bytes
            with writing_cache(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                write_json(path, settings)
        return settings["max_bytes"]


def _is_empty(folder: Path) -> bool:
    try:
        return all(path.name.startswith(".") for path in folder.iterdir())
    except FileNotFoundError:
        return True
    except OSError as error:
        raise CacheError(
            f"The cache folder '{folder}' cannot be read: {error.strerror}; give another folder."
        ) from error


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        known = settings["format"] == _FORMAT
        version, max_bytes = settings["format_version"], settings["max_bytes"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CacheError(
            f"The file '{path}', which says what the cache is, cannot be read or is damaged; "
            "delete its folder, or give another folder."
        ) from error
    if not known or version != FORMAT_VERSION or not isinstance(max_bytes, int):
        raise CacheError(
            f"The cache folder '{path.parent}' has format {version}, and this skser has format "
            f"{FORMAT_VERSION}; delete it, or give another folder."
        )
    return settings


def _checksum(key: bytes, payload: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(key)
    digest.update(payload)
    return digest.digest()


def _read_file(path: Path) -> bytearray:
    """Return what a file holds, and nothing of one that is missing or out of reach."""
    try:
        with path.open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            content = bytearray(status.st_size)
            whole = file.readinto(content) == len(content)
    except OSError:
        return bytearray()
    _touch(path, status.st_mtime)
    return content if whole else bytearray()


def _touch(path: Path, used: float) -> None:
    """Note that a file is in use; it may lie in a folder that is read-only."""
    if time.time() - used > _UNTOUCHED:
        with suppress(OSError):
            os.utime(path)


def _scan(folder: str | Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
