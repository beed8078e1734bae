"""Corpora of emotional speech: `load_*` reads, `fetch_*` downloads, `make_*` synthesises."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "_base": ["make_bunch"],
        "_crema_d": ["load_crema_d"],
        "_emodb": ["fetch_emodb", "load_emodb"],
        "_folder": ["load_audio_folder"],
        "_iemocap": ["load_iemocap"],
        "_ravdess": ["load_ravdess"],
        "_savee": ["load_savee"],
        "_synthetic": ["make_emotional_speech"],
        "_table": ["load_table"],
        "_tess": ["load_tess"],
    },
)
