"""The start of Python with skser, beside the packages that it cannot do without."""

import resource
import subprocess
import sys

import numpy as np

from ._paired import Row, summarise

_HELP = "import sys; sys.argv = ['skser', '--help']; from skser.cli import main; main()"


def run(repeats: int) -> list[Row]:
    """Compare the start by the CPU time of new processes.

    Parameters
    ----------
    repeats : int
        Number of rounds.

    Returns
    -------
    rows : list of Row
        Seconds above the peer.
    """
    pairs = {
        ("import skser", "import sklearn"): ("import skser", "import sklearn"),
        ("skser --help", "import typer, rich"): (_HELP, "import typer, rich"),
    }
    rows = []
    for names, scripts in pairs.items():
        for script in scripts:
            _cpu_seconds(script)  # fills the cache of files
        seconds = np.array([[_cpu_seconds(script) for script in scripts] for _ in range(repeats)])
        difference = seconds[:, 0] - seconds[:, 1]
        rows.append(summarise("start", *names, difference, unit="s more"))
    return rows


def _cpu_seconds(script: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
