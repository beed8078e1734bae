"""The parallel convolutions of Body I, by what each one sees."""

from types import MappingProxyType
from typing import Any

# Kernel sizes over (time, frequency).
PATHS = MappingProxyType({"temporal": (11, 1), "spectral": (1, 9), "spectro-temporal": (3, 3)})


def check_paths(name: str, paths: Any) -> None:
    """Check the paths that an estimator is given.

    Parameters
    ----------
    name : str
        Name of the estimator.
    paths : object
        What it was given; a tuple or list.

    Raises
    ------
    ValueError
        If they are not one to three different names.
    """
    named = all(isinstance(path, str) for path in paths) and {*paths} <= PATHS.keys()
    if not paths or not named or len({*paths}) < len(paths):
        raise ValueError(
            f"The 'paths' parameter of {name} must be a tuple of one to three different names "
            f"among {tuple(PATHS)}. Got {paths!r} instead."
        )
