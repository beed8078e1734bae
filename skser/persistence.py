"""Keep fitted models in one file without pickle: nothing in it is executed on loading."""

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ._classifier_network import make_network
from ._environment import describe_backend, describe_versions
from ._files import replaced_file
from .augment import Augmentation
from .classifier import LightSERNetClassifier
from .exceptions import ModelFileError
from .mfcc import MFCCTransformer

_FORMAT = "skser model"
_FORMAT_VERSION = 1
_MEMBERS = ("model.json", "weights.npz")
_MAX_MEMBER_SIZE = 64 * 2**20  # bytes; the network's weights take 1.9 MB
_NOT_KEPT = ("cache", "memory_map")  # where this machine keeps features is no part of a model
_STEPS = {"mfcc": MFCCTransformer, "classifier": LightSERNetClassifier}


def save(model: Pipeline | LightSERNetClassifier, path: str | os.PathLike) -> None:
    """Write a fitted model to one file.

    Parameters
    ----------
    model : Pipeline or LightSERNetClassifier
        A fitted Pipeline of `make_light_sernet` or its classifier alone, with
        `speaker_adaptation=False`.
    path : path-like
        The file, by custom `*.skser`. It is written whole or not at all.

    Raises
    ------
    TypeError
        If the model is of another kind, or a parameter or label is no plain value.
    ValueError
        If `speaker_adaptation` of the classifier is True.
    NotFittedError
        If the model was not fitted.
    FileNotFoundError
        If the folder of `path` does not exist.

    Notes
    -----
    The file is a ZIP archive of `model.json` (parameters, labels, versions), `weights.npz`
    (the network's arrays) and `checksums.json`. The state of the optimizer is not kept, nor are
    the `cache` of the features and settings of the Pipeline itself, such as its `memory`.

    Examples
    --------
    >>> import skser
    >>> skser.save(model, "model.skser")  # doctest: +SKIP
    >>> model = skser.load("model.skser")  # doctest: +SKIP
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"The folder '{path.parent}' does not exist; make it first.")
    steps = _steps_of(model)
    classifier = steps["classifier"]
    check_is_fitted(classifier)
    network = classifier.keras_classifier_.model_
    settings = {
        "format": _FORMAT,
        "format_version": _FORMAT_VERSION,
        "params": {name: _json_params(name, step) for name, step in steps.items()},
        "classes": classifier.classes_.tolist(),
        "classes_dtype": classifier.classes_.dtype.str,
        "n_mfcc": classifier.n_features_in_,
        "input": {name: _describe_input(step) for name, step in steps.items()},
        "history": classifier.history_,
        "epoch": classifier.epoch_,
        "speaker_seed": classifier._speaker_seed,
        "weights": [weight.path for weight in network.weights],
        "versions": describe_versions(),
        "keras_backend": describe_backend(),
    }
    arrays = io.BytesIO()
    np.savez(arrays, *network.get_weights())
    members = {
        "model.json": json.dumps(settings, indent=1, ensure_ascii=False).encode(),
        "weights.npz": arrays.getvalue(),
    }
    checksums = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
    with (
        replaced_file(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("checksums.json", json.dumps(checksums, indent=1))


def load(path: str | os.PathLike) -> Pipeline | LightSERNetClassifier:
    """Read a fitted model from a file that `save` wrote.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    model : Pipeline or LightSERNetClassifier
        The fitted model, of the kind that was saved. It predicts what the saved one predicts.

    Raises
    ------
    ModelFileError
        If the file is missing, foreign, altered, or of a newer format. Nothing of it is executed.
    """
    path = Path(path)
    members = _read_members(path)
    settings = _parse_settings(members["model.json"], path)
    try:
        steps = {
            name: _STEPS[name](**_python_params(params))
            for name, params in settings["params"].items()
        }
        classifier = steps["classifier"]
        _check_steps(steps, settings["n_mfcc"])
        _restore(classifier, settings, _read_arrays(members["weights.npz"], settings))
        for name, step in steps.items():
            _restore_input(step, settings["input"][name])
    except Exception as error:  # nonsense makes NumPy, Keras and TensorFlow raise anything
        raise ModelFileError(
            f"The model file '{path}' does not describe a model that this skser can build: {error}."
        ) from error
    if len(steps) == 1:
        return classifier
    return Pipeline([(name, steps[name]) for name in _STEPS])


def _steps_of(model: BaseEstimator) -> dict[str, BaseEstimator]:
    """Return the steps by their names, or raise if it is not a model of this package."""
    steps = dict(model.steps) if isinstance(model, Pipeline) else {}
    if isinstance(model, LightSERNetClassifier):
        steps = {"classifier": model}
    elif {name: type(step) for name, step in steps.items()} != _STEPS:
        raise TypeError(
            "skser.save takes a LightSERNetClassifier or a Pipeline as make_light_sernet makes "
            f"it (steps 'mfcc' and 'classifier'). Got {model!r} instead."
        )
    if steps["classifier"].speaker_adaptation:
        raise ValueError(
            "skser.save takes no model with speaker_adaptation=True: whoever loads it would mix "
            "speakers unawares. Save it with False, which changes no weights, and set it again "
            "after skser.load."
        )
    return steps


def _json_params(name: str, step: BaseEstimator) -> dict[str, Any]:
    params = step.get_params(deep=False)
    params = {key: value for key, value in params.items() if key not in _NOT_KEPT}
    if isinstance(params.get("random_state"), np.random.RandomState):
        params["random_state"] = None  # what it will draw next is no part of the model
    if isinstance(params.get("class_weight"), dict):
        params["class_weight"] = list(params["class_weight"].items())  # JSON keys are strings
    if params.get("augment") is not None:
        params["augment"] = params["augment"].get_params()
    try:
        return json.loads(json.dumps(params, default=_plain_scalar))
    except TypeError as error:
        raise TypeError(f"A parameter of step '{name}' is no plain value: {error}.") from error


def _python_params(params: dict[str, Any]) -> dict[str, Any]:
    """Undo what `_json_params` did: JSON knows no tuples, and no keys but strings."""
    params = {k: tuple(value) if isinstance(value, list) else value for k, value in params.items()}
    if isinstance(params.get("class_weight"), tuple):
        params["class_weight"] = dict(params["class_weight"])
    if params.get("augment") is not None:
        params["augment"] = Augmentation(**params["augment"])
    return params


def _check_steps(steps: dict[str, BaseEstimator], n_mfcc: int) -> None:
    """Check the parameters as `fit` does."""
    steps["classifier"]._check_parameters()
    if type(n_mfcc) is not int or n_mfcc < 1:
        raise ValueError(f"the number of coefficients is {n_mfcc!r}")
    if "mfcc" in steps:
        steps["mfcc"]._check_parameters()
        if steps["mfcc"].n_mfcc != n_mfcc:
            raise ValueError(
                f"the features have {steps['mfcc'].n_mfcc} coefficients, the network {n_mfcc}"
            )


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} cannot be written as JSON")


def _read_members(path: Path) -> dict[str, bytes]:
    """Read the archive's members and compare them with their checksums."""
    if not path.is_file():
        raise ModelFileError(f"The model file '{path}' is missing or no file; check the path.")
    try:
        members = _unpack(path)
        checksums = json.loads(members["checksums.json"])
    except Exception as error:  # zipfile and its decompressors raise anything on damaged bytes
        raise ModelFileError(
            f"The file '{path}' is no model of skser, or it is damaged: {error}."
        ) from error
    for name in _MEMBERS:
        if not isinstance(checksums, dict) or checksums.get(name) != _sha256(members[name]):
            raise ModelFileError(
                f"The model file '{path}' was altered: '{name}' does not match its checksum."
            )
    return members


def _unpack(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        if set(sizes) != {*_MEMBERS, "checksums.json"}:
            raise ValueError("its members are not those that skser.save writes")
        if max(sizes.values()) > _MAX_MEMBER_SIZE:
            raise ValueError(f"a member takes more than {_MAX_MEMBER_SIZE} bytes")
        return {name: archive.read(name) for name in sizes}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _parse_settings(content: bytes, path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"The model file '{path}' is damaged: {error}.") from error
    if not isinstance(settings, dict) or settings.get("format") != _FORMAT:
        raise ModelFileError(f"The file '{path}' is no model of skser.")
    if settings.get("format_version") != _FORMAT_VERSION:
        raise ModelFileError(
            f"The model file '{path}' has format {settings.get('format_version')}, and this "
            f"skser reads format {_FORMAT_VERSION}; install a newer skser."
        )
    return settings


def _read_arrays(content: bytes, settings: dict[str, Any]) -> list[NDArray]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        if sum(member.file_size for member in archive.zip.infolist()) > _MAX_MEMBER_SIZE:
            raise ValueError("its weights are too large")
        return [archive[f"arr_{index}"] for index in range(len(settings["weights"]))]


def _restore(
    classifier: LightSERNetClassifier, settings: dict[str, Any], arrays: list[NDArray]
) -> None:
    """Build the network and give it the saved weights."""
    classes = np.array(settings["classes"], dtype=settings["classes_dtype"])
    if classes.ndim != 1 or len(classes) < 2 or not np.array_equal(classes, np.unique(classes)):
        raise ValueError(f"the classes {settings['classes']!r} are not sorted and different")
    if not isinstance(settings["history"], dict):
        raise TypeError("its history is no table of epochs")
    for name in ("epoch", "speaker_seed"):
        if not isinstance(settings[name], int):
            raise TypeError(f"its {name} {settings[name]!r} is no int")
    classifier.classes_ = classes
    classifier.n_features_in_ = settings["n_mfcc"]
    classifier.history_ = settings["history"]
    classifier.epoch_ = settings["epoch"]
    classifier._speaker_seed = settings["speaker_seed"]
    keras_classifier = make_network(classifier, seed=0)
    network = keras_classifier.model_
    if [weight.path for weight in network.weights] != settings["weights"]:
        raise ValueError("its weights are not those of the network")
    network.set_weights(arrays)
    classifier.keras_classifier_ = keras_classifier


def _describe_input(step: BaseEstimator) -> dict[str, Any]:
    """Return what a step learnt about the columns of a 2-D array or DataFrame."""
    names = getattr(step, "feature_names_in_", None)
    return {
        "n_features_in_": getattr(step, "n_features_in_", None),
        "feature_names_in_": None if names is None else names.tolist(),
    }


def _restore_input(step: BaseEstimator, described: dict[str, Any]) -> None:
    if described["n_features_in_"] is not None:
        step.n_features_in_ = int(described["n_features_in_"])
    if described["feature_names_in_"] is not None:
        step.feature_names_in_ = np.array(described["feature_names_in_"], dtype=object)
