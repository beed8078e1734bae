"""Features beside opensmile's eGeMAPS, if it is installed: other features, the same recordings."""

import tempfile
from importlib.util import find_spec
from pathlib import Path

from skser import MFCCTransformer

from ._paired import Row, compare
from .features import recordings


def run(root: Path | None, repeats: int, n_files: int) -> list[Row]:
    """Compare from files.

    Parameters
    ----------
    root : Path or None
        Folder of EMO-DB; None takes noise.
    repeats, n_files : int
        Number of rounds, and of recordings; opensmile gets a tenth of them.

    Returns
    -------
    rows : list of Row
        The result; none without opensmile.
    """
    if not find_spec("opensmile"):
        return []
    import opensmile

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02)
    with tempfile.TemporaryDirectory() as folder:
        files = recordings(root, n_files, Path(folder))[::10]
        functions = {
            "MFCCTransformer, files": lambda: MFCCTransformer().transform(files),
            "opensmile eGeMAPS functionals": lambda: [smile.process_file(file) for file in files],
        }
        return compare("features", functions, repeats=repeats)
