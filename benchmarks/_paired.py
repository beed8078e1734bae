"""Paired measurement: all competitors in turn, round by round, and the ratios within a round."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

CLOCKS: dict[str, Callable[[], float]] = {"cpu": time.process_time, "wall": time.perf_counter}


@dataclass
class Row:
    """One line of the table: how `ours` compares with `peer`, as median and quartiles."""

    topic: str
    ours: str
    peer: str
    median: float
    low: float
    high: float
    n_rounds: int
    unit: str = "times as fast"
    clock: str = "cpu"

    def as_dict(self) -> dict:
        return asdict(self)


def time_in_turn(
    functions: dict[str, Callable[[], object]], *, repeats: int, clock: str = "cpu"
) -> dict[str, np.ndarray]:
    """Time functions A B C A B C ..., after a round that warms up.

    CPU time is that of all threads of the process: what a run takes on one idle core, however busy
    the machine is. Only what runs on several cores needs the clock on the wall.

    Parameters
    ----------
    functions : dict of str to callable
        What to time, by name.
    repeats : int
        Number of rounds.
    clock : {"cpu", "wall"}, default="cpu"
        What to read.

    Returns
    -------
    seconds : dict of str to ndarray of shape (repeats,)
        The time of each round.
    """
    now = CLOCKS[clock]
    seconds = {name: np.empty(repeats) for name in functions}
    for function in functions.values():
        function()
    for turn in range(repeats):
        for name, function in functions.items():
            start = now()
            function()
            seconds[name][turn] = now() - start
    return seconds


def compare(
    topic: str,
    functions: dict[str, Callable[[], object]],
    *,
    repeats: int,
    clock: str = "cpu",
) -> list[Row]:
    """Compare the first function with each of the others by the ratios within rounds."""
    seconds = time_in_turn(functions, repeats=repeats, clock=clock)
    ours, *peers = functions
    return [
        summarise(topic, ours, peer, seconds[peer] / seconds[ours], clock=clock) for peer in peers
    ]


def summarise(topic: str, ours: str, peer: str, values: np.ndarray, **fields: str) -> Row:
    """Return the row of one value a round."""
    low, median, high = np.percentile(values, [25, 50, 75]).tolist()
    return Row(topic, ours, peer, median, low, high, len(values), **fields)
