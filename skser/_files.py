"""Files that are written whole or not at all, and JSON in them."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from .exceptions import CacheError, EvaluationError


@contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Give a temporary path that takes the place of `path` if the `with` block succeeds.

    Parameters
    ----------
    path : Path
        The file to write.

    Yields
    ------
    temporary : Path
        Where to write it.
    """
    # other threads, and processes elsewhere that share the folder, may write it at this moment
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{token_hex(4)}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    content : object
        What it holds.

    Raises
    ------
    EvaluationError
        If it is missing or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"The file '{path}' cannot be read as JSON: {error}.") from error


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    content : object
        Plain JSON.
    """
    with replaced_file(path) as temporary:
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def writing_cache(folder: Path) -> Iterator[None]:
    """Name the folder of a feature cache if the `with` block cannot write to it.

    Parameters
    ----------
    folder : Path
        The folder.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    CacheError
        If a file there cannot be written.
    """
    try:
        yield
    except BlockingIOError:  # a lock that another process holds
        raise
    except OSError as error:
        raise CacheError(
            f"The cache folder '{folder}' cannot be written to: {error.strerror or error}; free "
            "space there, or give another folder."
        ) from error
