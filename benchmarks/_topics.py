"""The topics, each to be run in a process of its own."""

from importlib import import_module
from pathlib import Path

from ._paired import Row

TOPICS = (
    *("features", "opensmile", "prediction", "training", "start", "ceilings"),
    *("memory", "workers"),  # these take minutes
)


def run_topic(topic: str, root: Path | None, repeats: int, n_files: int) -> list[Row]:
    """Run all comparisons of a topic.

    Parameters
    ----------
    topic : str
        One of `TOPICS`.
    root : Path or None
        Folder of EMO-DB; None takes noise.
    repeats, n_files : int
        Number of rounds, and of recordings.

    Returns
    -------
    rows : list of Row
        The results.
    """
    if topic in ("features", "prediction", "training"):
        from skser._process import start_keras

        start_keras(n_threads=1)  # one thread, as all the others have
    module = import_module(f".{topic}", __package__)
    if topic in ("features", "opensmile"):
        return module.run(root, repeats, n_files)
    return module.run(repeats)
