"""Speech emotion recognition that scikit-learn users can trust."""

import lazy_loader as _lazy

from ._version import __version__

# The names stand in __init__.pyi, where type checkers find them too.
__getattr__, __dir__, _names = _lazy.attach_stub(__name__, __file__)
__all__ = [*_names, "__version__"]
