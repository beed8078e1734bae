"""Vectors of utterances that were computed before, found by what the utterances hold."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

import numpy as np
from numpy.typing import NDArray


class FeatureCache:
    """Keep the vectors that were used last, up to a size in bytes; threads may share it.

    Parameters
    ----------
    max_bytes : int
        Size of the vectors, in bytes. Beyond it, those unused for longest are dropped.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._vectors: OrderedDict[Hashable, NDArray[np.float32]] = OrderedDict()
        self._n_bytes = 0
        self._lock = Lock()

    def get(self, key: Hashable, compute: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return the vector of a key, computed unless it is kept.

        Parameters
        ----------
        key : hashable
            Stands for everything that the vector depends on.
        compute : callable
            Returns the vector.

        Returns
        -------
        vector : ndarray of shape (n_features,), dtype float32
            Shared by all later calls, so it cannot be written to.
        """
        with self._lock:
            if key in self._vectors:
                self._vectors.move_to_end(key)
                return self._vectors[key]
        vector = compute()  # not under the lock: threads compute side by side
        vector.flags.writeable = False
        with self._lock:
            if key not in self._vectors:  # another thread may have been faster
                self._vectors[key] = vector
                self._n_bytes += vector.nbytes
            while self._n_bytes > self.max_bytes:
                self._n_bytes -= self._vectors.popitem(last=False)[1].nbytes
        return vector
