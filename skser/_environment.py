"""What a result depends on besides its settings: versions, backend, processors."""

import os
import platform
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ._process import start_keras
from ._version import __version__

_PACKAGES = (
    "jax",
    "keras",
    "librosa",
    "numpy",
    "pandas",
    "scikeras",
    "scikit-learn",
    "scipy",
    "tensorflow",
)


def describe_versions(*others: str) -> dict[str, str | None]:
    """Describe the versions of this package and of those that it stands on.

    Parameters
    ----------
    *others : str
        Names of further packages.

    Returns
    -------
    description : dict of str to (str or None)
        Versions by package; None for one that is not installed.
    """
    versions = {package: _version(package) for package in (*_PACKAGES, *others)}
    return {"skser": __version__, "python": platform.python_version(), **versions}


def describe_backend() -> str:
    """Name the backend of Keras, which is imported for it.

    Returns
    -------
    backend : str
        `"tensorflow"`, `"jax"` or `"torch"`.
    """
    start_keras()
    import keras

    return keras.backend.backend()


def describe_processors(n_jobs: int | None, n_threads: int | None) -> dict[str, str | int | None]:
    """Describe what a run computes on; weights differ a little with the number of threads.

    Parameters
    ----------
    n_jobs : int or None
        Number of processes, as asked for.
    n_threads : int or None
        Number of threads of each, as asked for.

    Returns
    -------
    description : dict
        These, the architecture and the number of processors.
    """
    return {
        "architecture": platform.machine(),
        "n_processors": os.cpu_count(),
        "n_jobs": n_jobs,
        "n_threads": n_threads,
    }


def describe_command(call: str) -> str:
    """Describe how a run was started.

    Parameters
    ----------
    call : str
        The call, for a run that was not started from the command line.

    Returns
    -------
    command : str
        The command line of `skser`, or the call.
    """
    program = Path(sys.argv[0])
    return shlex.join([program.name, *sys.argv[1:]]) if program.name == "skser" else call


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
