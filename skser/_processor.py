"""Whether the processor itself computes in the number format that a training asks for."""

import warnings
from pathlib import Path

from ._process import start_keras
from .exceptions import SlowPrecisionWarning

_CPUINFO = Path("/proc/cpuinfo")
_INSTRUCTIONS = {"avx512_bf16", "amx_bf16", "bf16"}  # of x86, x86, and Arm


def warn_if_slow(precision: str) -> None:
    """Warn of a number format that the processor has no instructions for.

    Parameters
    ----------
    precision : {"float32", "bfloat16"}
        Number format of the convolutions.

    Warns
    -----
    SlowPrecisionWarning
        If TensorFlow computes on a processor that is known not to have them.
    """
    if not lacks(precision):
        return
    start_keras()
    import keras

    if keras.backend.backend() != "tensorflow":
        return
    from ._tensorflow import has_gpu

    if not has_gpu():
        warnings.warn(
            f"This processor has no instructions for {precision}, and computes in it many times "
            "slower than in float32; train with precision='float32' (--precision float32) here.",
            SlowPrecisionWarning,
            stacklevel=1,  # the same place for all callers, so that it is said once
        )


def lacks(precision: str) -> bool:
    """Tell whether the processor is known to have no instructions for a number format.

    Parameters
    ----------
    precision : {"float32", "bfloat16"}
        The number format.

    Returns
    -------
    lacks : bool
        False where nobody knows.
    """
    instructions = _instructions()
    return precision == "bfloat16" and instructions is not None and not instructions & _INSTRUCTIONS


def _instructions() -> set[str] | None:
    """Return what the processor's flags name; None where Linux does not say."""
    try:
        lines = _CPUINFO.read_text().splitlines()
    except OSError:
        return None
    named = (line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Feat")))
    return next(map(set, named), None)
