"""Speech emotion recognition that scikit-learn users can trust."""

import lazy_loader as _lazy

from ._version import __version__

_getattr, __dir__, _names = _lazy.attach(
    __name__,
    submodules=["datasets", "exceptions", "metrics", "plotting", "protocols"],
    submod_attrs={
        "classifier": ["LightSERNetClassifier"],
        "mfcc": ["MFCCTransformer"],
        "evaluation": ["Evaluation", "evaluate"],
        "persistence": ["load", "save"],
        "pipeline": ["make_light_sernet"],
    },
)
__getattr__ = _getattr
__all__ = [*_names, "__version__"]
