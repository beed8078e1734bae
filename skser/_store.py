"""The folder of an evaluation: each finished fold on disk at once, and what it was made with."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from ._files import read_json, write_json
from ._predictions import seed_params
from ._text import some
from .exceptions import EvaluationError

# What changes how a run goes, and not what comes out of it.
_NEUTRAL_PARAMS = ("n_jobs", "verbose", "cache", "memory_map")
# Each fold says its seed; "search" is a name for parameters, which are compared themselves.
_NEUTRAL_SETTINGS = ("processors", "seeds", "command", "search")


_RESULT_FILES = (
    *("predictions.csv", "folds.csv", "confusion.csv", "scores.json"),  # of an evaluation
    *("results.csv", "failures.csv"),  # of a search
)
# A search keeps an evaluation of each candidate.
_FOLDS = ("folds/*/*.json", "candidates/*/folds/*/*.json")


def read_settings(
    folder: str | os.PathLike, settings: Mapping[str, Any], *, resume: bool
) -> dict[str, Any]:
    """Return the settings of the run that a folder holds, and refuse a folder that is not free.

    Parameters
    ----------
    folder : path-like
        The folder.
    settings : dict
        What the folds of the new run are made with; plain JSON.
    resume : bool
        Whether to go on with the folds that the folder holds.

    Returns
    -------
    earlier : dict
        Empty if the folder is free.

    Raises
    ------
    EvaluationError
        If the folder holds a run and `resume` is False, one with other settings, or files of
        something else that a run would replace, or if it is a file.
    """
    path = Path(folder, "settings.json")
    holds_folds = any(any(Path(folder).glob(pattern)) for pattern in _FOLDS)
    if holds_folds and not path.exists():
        raise EvaluationError(
            f"The folder '{folder}' holds folds, but no settings.json that says what they "
            "were made with; give another folder."
        )
    check_folder(folder)
    # The folder of a run that failed before its first fold is free.
    holds_run = holds_folds or bool(_results_in(folder))
    if path.exists() and (resume or holds_run):
        if not resume:
            raise EvaluationError(
                f"The folder '{folder}' already holds an evaluation; resume it "
                "(resume=True, --resume) or give another folder."
            )
        earlier = read_json(path)
        _check_same(earlier, settings, folder)
        return earlier
    return {}


def check_folder(folder: str | os.PathLike) -> None:
    """Refuse a folder that holds files of something else, which results would replace.

    Parameters
    ----------
    folder : path-like
        The folder; it need not exist.

    Raises
    ------
    EvaluationError
        If it holds such files, or is a file itself.
    """
    if Path(folder).exists() and not Path(folder).is_dir():
        raise EvaluationError(f"'{folder}' is a file; give a folder for the results.")
    settings = Path(folder, "settings.json")
    known = read_json(settings) if settings.exists() else {}
    ours = isinstance(known, dict) and {"corpus", "protocol"} <= known.keys()
    foreign = [*([settings.name] if settings.exists() else []), *_results_in(folder)]
    if foreign and not ours:
        raise EvaluationError(
            f"The folder '{folder}' holds {some(foreign)} without the settings of an evaluation; "
            "give another folder."
        )


def _results_in(folder: str | os.PathLike) -> list[str]:
    return [name for name in _RESULT_FILES if Path(folder, name).exists()]


def write_settings(folder: str | os.PathLike, settings: Mapping[str, Any]) -> None:
    """Make a folder and write the settings: from here on it holds an unfinished run.

    Parameters
    ----------
    folder : path-like
        The folder.
    settings : dict
        Plain JSON.

    Raises
    ------
    EvaluationError
        If the folder holds files of something else.
    """
    check_folder(folder)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in _RESULT_FILES:  # those of other seeds must not be read under these settings
        Path(folder, name).unlink(missing_ok=True)
    write_json(Path(folder, "settings.json"), settings)


class FoldStore:
    """Folds in a folder: written one by one, read back when a run is resumed.

    Parameters
    ----------
    folder : path-like
        Created by `start` when it is missing.
    settings : dict
        What the folds are made with; plain JSON.
    resume : bool
        Whether to go on with the folds that the folder holds.

    Raises
    ------
    EvaluationError
        If the folder holds a run and `resume` is False, or one with other settings.
    """

    def __init__(self, folder: str | os.PathLike, settings: Mapping[str, Any], *, resume: bool):
        self.folder = Path(folder)
        self.earlier = read_settings(folder, settings, resume=resume)
        self._settings = settings

    def start(self) -> None:
        """Make the folder and write the settings."""
        write_settings(self.folder, self._settings)

    def read(self, key: tuple[int, str]) -> dict | None:
        """Return a fold, or None if it is not finished.

        Parameters
        ----------
        key : tuple of (int, str)
            Seed and name of the fold.

        Returns
        -------
        fold : dict or None
            What `write` was given.
        """
        path = self._path(*key)
        return read_json(path) if path.exists() else None

    def write(self, key: tuple[int, str], fold: Mapping[str, Any]) -> None:
        """Write a finished fold in one step.

        Parameters
        ----------
        key : tuple of (int, str)
            Seed and name of the fold.
        fold : dict
            Plain JSON.
        """
        path = self._path(*key)
        path.parent.mkdir(parents=True, exist_ok=True)
        how = {name: self._settings[name] for name in ("processors", "command")}
        write_json(path, {**fold, **how})

    def _path(self, seed: int, name: str) -> Path:
        # Speakers may be called anything, files may not, and some systems ignore their case.
        safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
        if safe != name.lower():
            safe += "-" + hashlib.sha256(name.encode()).hexdigest()[:8]
        return self.folder / "folds" / f"seed-{seed}" / f"{safe}.json"


def describe_corpus(corpus: Bunch, *held_out: NDArray) -> dict[str, Any]:
    """Describe a corpus for the settings, with a fingerprint of its utterances.

    Parameters
    ----------
    corpus : Bunch
        The corpus, with `content`.
    *held_out : ndarray of shape (n_samples,)
        What else than speakers the folds are made by, such as the texts.

    Returns
    -------
    description : dict
        Name, counts, emotions, speakers and fingerprint.
    """
    digest = hashlib.sha256()
    columns = corpus.content, corpus.target, corpus.groups, *held_out
    for row in zip(*columns, strict=True):
        digest.update(f"{' '.join(map(str, row))}\n".encode())
    return {
        "name": corpus.name,
        "n_utterances": len(corpus.target),
        "emotions": [str(label) for label in np.unique(corpus.target).tolist()],
        "speakers": [str(speaker) for speaker in np.unique(corpus.groups).tolist()],
        "fingerprint": digest.hexdigest(),
    }


def describe_model(model: BaseEstimator) -> dict[str, Any]:
    """Describe an estimator by its parameters, those of its parts included.

    Parameters
    ----------
    model : estimator
        The estimator.

    Returns
    -------
    description : dict
        Parameters as plain JSON; what JSON lacks is given as it prints, with a hash of what it
        holds.
    """
    seeds = seed_params(model)  # given by each evaluation
    params = {
        name: _describe_param(name, value)
        for name, value in model.get_params(deep=True).items()
        if name.split("__")[-1] not in _NEUTRAL_PARAMS and name not in seeds
    }
    return {"class": _class_name(model), **params}


def _describe_param(name: str, value: Any) -> Any:
    if name.split("__")[-1] == "steps":
        return [step for step, _ in value]  # their order; what they are stands under their names
    return _class_name(value) if hasattr(value, "get_params") else as_json(value)


def _class_name(value: Any) -> str:
    kind = value if isinstance(value, type) else type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def as_json(value: Any) -> Any:
    """Return a parameter as JSON would give it back.

    Parameters
    ----------
    value : object
        Any parameter.

    Returns
    -------
    plain : object
        What JSON lacks is given as it prints, with a hash of what it holds.
    """
    try:
        return json.loads(json.dumps(value.item() if isinstance(value, np.generic) else value))
    except TypeError:
        return f"{_without_address(value)} {_content_hash(value)}"


def _content_hash(value: Any) -> str:
    """Hash what a function does, or what an object holds: their names may stand for anything."""
    if (code := getattr(value, "__code__", None)) is not None:
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        constants = _without_address((code.co_consts, value.__defaults__, cells))
        value = (code.co_code, code.co_names, constants)
    try:
        return joblib.hash(value)
    except Exception:  # what cannot be pickled is known by its name alone
        return ""


def _without_address(value: Any) -> str:
    return re.sub(r" at 0x[0-9A-Fa-f]+", "", repr(value))  # another one each run


def _check_same(old: dict, new: Mapping[str, Any], folder: str | os.PathLike) -> None:
    """Refuse to mix folds that were made with different settings."""
    compared = {**old, **new}.keys() - set(_NEUTRAL_SETTINGS)
    differences = [
        d for key in sorted(compared) for d in _differences(old.get(key), new.get(key), key)
    ]
    if differences:
        raise EvaluationError(
            f"The folder '{folder}' holds an evaluation with other settings, so it cannot be "
            f"resumed: {some(differences)}. Give another folder."
        )


def _differences(old: Any, new: Any, name: str = "") -> list[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return [
            difference
            for key in {**old, **new}
            for difference in _differences(old.get(key), new.get(key), f"{name}.{key}".strip("."))
        ]
    same = old == new or repr(old) == repr(new)  # NaN is not equal to itself
    if name.endswith("fingerprint"):  # a hash, which tells a reader nothing
        return [] if same else [f"{name} differs"]
    return [] if same else [f"{name} was {old!r}, now {new!r}"]
