"""Corpora of emotional speech: `load_*` reads, `fetch_*` downloads, `make_*` synthesises."""

import lazy_loader as _lazy

# The names stand in __init__.pyi, where type checkers find them too.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
