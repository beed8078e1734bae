"""Text for messages and tables."""

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


def align(rows: Sequence[Sequence[str]]) -> str:
    """Write rows of a table with their columns below each other, the first one to the left.

    Parameters
    ----------
    rows : sequence of sequences of str
        Rows of equal length.

    Returns
    -------
    text : str
        One line a row.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines)
