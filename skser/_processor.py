"""Whether the processor itself computes in the number format that a training asks for."""

import warnings
from pathlib import Path

from ._environment import describe_backend
from .exceptions import SlowPrecisionWarning

_CPUINFO = Path("/proc/cpuinfo")
_INSTRUCTIONS = {"avx512_bf16", "amx_bf16", "bf16"}  # of x86, x86, and Arm

_said = False  # a filter of Python would forget it at the next catch_warnings


def warn_if_slow(precision: str) -> None:
    """Warn, once in a process, of a number format that the processor has no instructions for.

    Parameters
    ----------
    precision : {"float32", "bfloat16"}
        Number format of the convolutions.

    Warns
    -----
    SlowPrecisionWarning
        If TensorFlow computes on a processor that is known not to have them. Of what other
        backends do then nothing is known.
    """
    if _said or not is_emulated(precision):
        return
    if describe_backend() != "tensorflow":
        return
    from ._tensorflow import has_gpu

    if not has_gpu():
        warn_no_more()
        warnings.warn(
            f"This processor has no instructions for {precision}, and computes in it many times "
            "slower than in float32; train with precision='float32' (--precision float32) here.",
            SlowPrecisionWarning,
            stacklevel=4,  # who called fit
        )


def has_warned() -> bool:
    """Tell whether this process has warned."""
    return _said


def warn_no_more() -> None:
    """Let this process warn no more: it has, or the one that started it has."""
    global _said
    _said = True


def is_emulated(precision: str) -> bool:
    """Tell whether the processor is known to have no instructions for a number format.

    Parameters
    ----------
    precision : {"float32", "bfloat16"}
        The number format.

    Returns
    -------
    is_emulated : bool
        False where nobody knows.
    """
    if precision != "bfloat16":
        return False
    try:
        lines = _CPUINFO.read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), None)
    return flags is not None and _INSTRUCTIONS.isdisjoint(flags.split())
