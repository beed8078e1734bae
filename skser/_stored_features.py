"""Features of utterances from a store, and into it where it lacks them."""

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._feature_store import FeatureStore
from ._utterances import Steps, compute_each, is_path, prepare_utterance

_SETTLED = 2e9  # ns; file systems keep times as coarsely as that


class StoredFeatures:
    """Compute the features of an utterance unless a store has them.

    The key of an entry is a hash of the samples that the features are computed from and of all
    that they depend on beside these. A file need not be read to be found again: its path, size,
    times and number in the file system stand for the key of its content.

    Parameters
    ----------
    store : FeatureStore
        The store.
    settings : str
        What the features depend on beside the samples.
    n_rows : int
        Number of utterances.
    steps : Steps
        How an utterance becomes an array.
    """

    def __init__(self, store: FeatureStore, settings: str, n_rows: int, steps: Steps) -> None:
        self._store = store
        self._steps = steps
        self._settings = hashlib.sha256(settings.encode())
        self._keys = bytearray(self._settings.digest_size * n_rows)

    def __call__(
        self, row: int, utterance: Any, *, wait: bool
    ) -> tuple[NDArray[np.float32], list[Warning]]:
        """Return the features and what is to be warned of, as `compute_utterance` does.

        If another process or thread computes them, BlockingIOError is raised unless `wait`.
        """
        name = self._name(utterance)
        if name is None:
            return self._get_by_content(row, utterance, wait=wait)
        if (features := self._get_by_name(row, name)) is not None:
            return features, []
        with self._store.locked("names", name, wait=wait):
            if (features := self._get_by_name(row, name)) is not None:
                return features, []
            features, notes = self._get_by_content(row, utterance, wait=True)
            # Without its name, an odd file is read each time, and warned of by those who read it.
            if not notes and self._name(utterance) == name:
                self._store.link(name, self._key(row))
        return features, notes

    def map_array(
        self, utterances: Sequence, shape: tuple[int, ...], n_jobs: int | None
    ) -> tuple[np.memmap, list[Warning]]:
        """Return the features of all utterances in one mapped array, written if need be."""
        if self._find_keys(utterances):
            mapped = self._store.map_array(self._key_of_all(), shape)
            if mapped is not None:
                self._store.count(hits=len(utterances))
                return mapped, []
        with self._store.new_array(shape) as file:
            notes = compute_each(utterances, self, file, n_jobs=n_jobs)
            return self._store.keep_array(file, self._key_of_all()), notes

    def _find_keys(self, utterances: Sequence) -> bool:
        """Tell whether all utterances are known by name, without reading any."""
        for row, utterance in enumerate(utterances):
            name = self._name(utterance)
            key = None if name is None else self._store.find(name)
            if key is None:
                return False
            self._set_key(row, key)
        return True

    def _get_by_name(self, row: int, name: bytes) -> NDArray[np.float32] | None:
        key = self._store.find(name)
        if key is None or (features := self._store.read(key)) is None:
            return None
        self._set_key(row, key)
        self._store.count(hits=1)
        return features

    def _get_by_content(
        self, row: int, utterance: Any, *, wait: bool
    ) -> tuple[NDArray[np.float32], list[Warning]]:
        prepared, notes = prepare_utterance(row, utterance, self._steps)
        key = self._hash(prepared)
        self._set_key(row, key)
        features = self._store.read(key)
        if features is None:
            with self._store.locked("entries", key, wait=wait):
                features = self._store.read(key)
                if features is None:
                    features = self._steps.compute(prepared)
                    self._store.write(key, features)
                    self._store.count(misses=1)
                    return features, notes
        self._store.count(hits=1)
        return features, notes

    def _name(self, utterance: Any) -> bytes | None:
        """Return what stands for the content of a file; None for what has to be read."""
        if not is_path(utterance):
            return None
        try:
            path = Path(utterance)
            status = path.stat()
        except (OSError, ValueError):  # reading it will say what is wrong
            return None
        if time.time_ns() - status.st_mtime_ns < _SETTLED:  # it could change and keep its time
            return None
        number = status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        return self._hash(os.fsencode(path.absolute()) + repr(number).encode())

    def _hash(self, content: Any) -> bytes:
        digest = self._settings.copy()
        digest.update(content)
        return digest.digest()

    def _key(self, row: int) -> bytes:
        size = self._settings.digest_size
        return bytes(self._keys[row * size : (row + 1) * size])

    def _set_key(self, row: int, key: bytes) -> None:
        size = self._settings.digest_size
        self._keys[row * size : (row + 1) * size] = key

    def _key_of_all(self) -> bytes:
        return hashlib.sha256(self._keys).digest()
