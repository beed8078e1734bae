"""`skser cache`: what a feature cache holds, and its end; each command is a thin call."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Look into a feature cache (--cache), limit it, clear it.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
FolderArgument = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the cache.")]


@app.command()
def info(folder: FolderArgument) -> None:
    """Print what a cache holds, its limit, and how often it was of use.

    [b]Example[/b]

      skser cache info mfcc-cache
    """
    from .cache import describe_cache

    cache = describe_cache(folder)
    print(f"Utterances  {cache.n_entries:,}, once for each setting of the features")
    print(f"Arrays      {cache.n_arrays:,} mapped")
    print(f"Size        {_mega(cache.n_bytes)} of at most {_mega(cache.max_bytes)}")
    print(f"Hits        {cache.hits:,} utterances found")
    print(f"Misses      {cache.misses:,} utterances computed")
    print(f"Format      {cache.format_version}")


@app.command()
def limit(
    folder: FolderArgument,
    gigabytes: Annotated[float, typer.Argument(min=1e-6, help="Size in GB.")],
) -> None:
    """Set the size that a cache may take; it is made if it does not exist.

    [b]Example[/b]

      skser cache limit mfcc-cache 5
    """
    from .cache import make_cache

    make_cache(folder, max_bytes=round(gigabytes * 1e9))
    print(f"{folder} may take {_mega(round(gigabytes * 1e9))}")


@app.command()
def clear(
    folder: FolderArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove all features from a cache.

    [b]Example[/b]

      skser cache clear mfcc-cache --yes
    """
    from .cache import clear_cache, describe_cache

    cache = describe_cache(folder)
    what = f"{cache.n_entries:,} utterances ({_mega(cache.n_bytes)}) from {folder}"
    if not yes:
        typer.confirm(f"Remove {what}?", abort=True)
    clear_cache(folder)
    print(f"Removed {what}")


def _mega(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
