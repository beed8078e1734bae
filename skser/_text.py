"""Words for error messages."""

from collections.abc import Sequence

from numpy.typing import NDArray


def some(names: Sequence[object] | NDArray, limit: int = 10) -> str:
    """Write the first of many names, and how many more there are.

    Parameters
    ----------
    names : sequence or ndarray
        Names.
    limit : int, default=10
        Number of names written.

    Returns
    -------
    text : str
        The names with commas between them.
    """
    rest = len(names) - limit
    return ", ".join(map(str, names[:limit])) + (f" and {rest} more" if rest > 0 else "")
