"""A .npy file that is filled row by row, so that the array is never in memory as a whole."""

import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from ._files import writing_cache


class ArrayFile:
    """A float32 array in a new file, which threads may fill in any order.

    Its rows are written, not mapped: on a full disk a mapped file ends the process.

    Parameters
    ----------
    cache : Path
        The folder of the cache, named in errors; the file is written to `arrays/new` in it.
    shape : tuple of int
        Shape of the array.
    """

    def __init__(self, cache: Path, shape: tuple[int, ...]) -> None:
        self._cache = cache
        self._path = cache / "arrays" / "new" / f".{os.getpid()}.{token_hex(8)}"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("xb")
        self._mutex = Lock()
        self._row_bytes = 4 * int(np.prod(shape[1:], dtype=np.int64))
        np.lib.format.write_array_header_1_0(
            self._file, {"descr": "<f4", "fortran_order": False, "shape": shape}
        )
        self._start = self._file.tell()

    def __setitem__(self, row: int, values: NDArray[np.float32]) -> None:
        """Write one row."""
        content = np.ascontiguousarray(values, dtype="<f4")
        with self._mutex, writing_cache(self._cache):
            self._file.seek(self._start + row * self._row_bytes)
            self._file.write(content.data)

    def keep(self, path: Path) -> int:
        """Give the file its name, and return its size in bytes."""
        self._file.flush()
        os.fsync(self._file.fileno())  # nothing checks it again but its length
        n_bytes = os.fstat(self._file.fileno()).st_size
        self._file.close()
        self._path.replace(path)
        return n_bytes

    def discard(self) -> None:
        """Remove the file unless it was kept."""
        with suppress(OSError):  # of the disk, which has been reported
            self._file.close()
        self._path.unlink(missing_ok=True)
