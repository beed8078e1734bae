"""What the processor can do at most, so that the other rows have a scale."""

from collections.abc import Callable

import numpy as np
import threadpoolctl
from scipy import fft

from ._paired import Row, summarise, time_in_turn


def run(repeats: int) -> list[Row]:
    """Measure products of matrices, the Fourier transform and copies, on one thread.

    Parameters
    ----------
    repeats : int
        Number of rounds.

    Returns
    -------
    rows : list of Row
        Operations or bytes a second.
    """
    generator = np.random.default_rng(0)
    square = generator.normal(size=(1024, 1024)).astype(np.float32)
    frames = generator.normal(size=(184, 1024)).astype(np.float32)
    large, target = np.ones((2, 2**24), dtype=np.float32)
    work: dict[str, tuple[Callable, float, str]] = {
        "float32 matrix product": (lambda: square @ square, 2 * 1024**3, "GFLOP/s"),
        # by custom, a real transform of n samples counts as 2.5 n log2(n) operations
        "float32 real FFT of 1024": (
            lambda: [fft.rfft(frames) for _ in range(20)],
            20 * 184 * 2.5 * 1024 * 10,
            "GFLOP/s",
        ),
        "copy of 64 MiB": (lambda: np.copyto(target, large), 2 * large.nbytes, "GB/s"),
    }
    with threadpoolctl.threadpool_limits(1):
        seconds = time_in_turn({name: item[0] for name, item in work.items()}, repeats=repeats)
    return [
        summarise("ceilings", name, "", amount / seconds[name] / 1e9, unit=unit)
        for name, (_, amount, unit) in work.items()
    ]
