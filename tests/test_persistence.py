"""Models in files: what is saved comes back, and no file makes `load` fail in its own way."""

import copy
import hashlib
import io
import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

import skser
from skser import LightSERNetClassifier, MFCCTransformer, make_light_sernet
from skser.datasets import make_emotional_speech
from skser.exceptions import ModelFileError
from skser.persistence import _read_members

MFCC = np.random.default_rng(0).normal(size=(6, 8, 5)).astype(np.float32)


@pytest.fixture(scope="module")
def corpus():
    return make_emotional_speech(n_speakers=2, n_utterances=1, random_state=0)


@pytest.fixture(scope="module")
def model(corpus):
    pipeline = make_light_sernet(duration=0.25, epochs=1, batch_size=16, random_state=0)
    return pipeline.fit(corpus.data, corpus.target)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    """The bytes of the model's file."""
    path = tmp_path_factory.mktemp("saved") / "model.skser"
    skser.save(model, path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def small():
    """A classifier of five coefficients, to set parameters of and to save."""
    labels = ["anger", "fear"] * 3
    return LightSERNetClassifier(epochs=1, paths=("temporal",), random_state=0).fit(MFCC, labels)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skser"


def altered_copy(classifier, **attributes):
    """Copy a fitted classifier, its network shared, and give it other attributes."""
    altered = copy.copy(classifier)
    for name, value in attributes.items():
        setattr(altered, name, value)
    return altered


def round_trip(model, path):
    skser.save(model, path)
    return skser.load(path)


def rewrite(path, saved, *, members=None, **changes):
    """Write an altered model with right checksums: other settings, or other members."""
    with zipfile.ZipFile(io.BytesIO(saved)) as archive:
        content = {name: archive.read(name) for name in ("model.json", "weights.npz")}
    described = json.loads(content["model.json"])
    for names, value in changes.items():
        *outer, last = names.split("__")
        inner = described
        for name in outer:
            inner = inner[name]
        inner[last] = value
    content["model.json"] = json.dumps(described).encode()
    content |= members or {}
    checksums = {name: hashlib.sha256(part).hexdigest() for name, part in content.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in content.items():
            archive.writestr(name, part)
        archive.writestr("checksums.json", json.dumps(checksums))


def npz(*arrays):
    buffer = io.BytesIO()
    np.savez(buffer, *arrays)
    return buffer.getvalue()


# --- what is saved comes back ----------------------------------------------------------------


def test_a_loaded_pipeline_is_the_saved_one(model, corpus, path):
    loaded = round_trip(model, path)
    np.testing.assert_array_equal(
        loaded.predict_proba(corpus.data), model.predict_proba(corpus.data)
    )
    np.testing.assert_array_equal(loaded.predict(corpus.data), model.predict(corpus.data))
    np.testing.assert_array_equal(loaded.classes_, model.classes_)
    assert loaded.classes_.dtype == model.classes_.dtype
    for step in ("mfcc", "classifier"):
        params, expected = (m.named_steps[step].get_params() for m in (loaded, model))
        # of two equal estimators, whose parameters stand beside them
        assert type(params.pop("augment", None)) is type(expected.pop("augment", None))
        assert params == expected
    assert loaded["classifier"].history_ == model["classifier"].history_
    assert loaded["classifier"].n_features_in_ == 64


def test_a_loaded_model_can_be_saved_and_fitted_again(model, corpus, path):
    again = round_trip(round_trip(model, path), path)
    refitted = again.fit(corpus.data, corpus.target)
    np.testing.assert_array_equal(
        refitted.predict_proba(corpus.data), model.predict_proba(corpus.data)
    )


def test_a_bare_classifier_comes_back_bare(small, path):
    loaded = round_trip(small, path)
    assert isinstance(loaded, LightSERNetClassifier)
    np.testing.assert_array_equal(loaded.predict_proba(MFCC), small.predict_proba(MFCC))
    assert loaded.get_params() == small.get_params()


def test_a_loaded_model_computes_in_the_saved_precision(path):
    mixed = LightSERNetClassifier(epochs=1, precision="bfloat16", random_state=0)
    loaded = round_trip(mixed.fit(MFCC, ["anger", "fear"] * 3), path)
    assert loaded.precision == "bfloat16"
    np.testing.assert_array_equal(loaded.predict_proba(MFCC), mixed.predict_proba(MFCC))


@pytest.mark.parametrize(
    ("classes", "class_weight"),
    [
        (["anger", "fear"], {"anger": 1.0, "fear": 2.0}),
        ([3, 10], {3: 1.0, 10: 2.0}),
        ([3, 10], {np.int64(3): np.float32(1), np.int64(10): 2}),
        (np.array(["anger", "fear"], dtype=object), "balanced"),
        ([False, True], {False: 1, True: 2}),
    ],
    ids=["str", "int", "numpy int", "object", "bool"],
)
def test_labels_and_class_weights_keep_their_kind(small, path, classes, class_weight):
    fitted = altered_copy(small, classes_=np.asarray(classes), class_weight=class_weight)
    loaded = round_trip(fitted, path)
    assert loaded.classes_.dtype == fitted.classes_.dtype
    np.testing.assert_array_equal(loaded.predict(MFCC), fitted.predict(MFCC))
    assert loaded.class_weight == class_weight


def test_integer_labels_are_fitted_and_saved(path):
    classifier = LightSERNetClassifier(epochs=1, class_weight={3: 1.0, 10: 2.0}, random_state=0)
    loaded = round_trip(classifier.fit(MFCC, [3, 10] * 3), path)
    assert loaded.predict(MFCC).dtype == int
    np.testing.assert_array_equal(loaded.predict_proba(MFCC), classifier.predict_proba(MFCC))


def test_numpy_scalars_are_plain_values(small, path):
    params = {"epochs": np.int64(1), "dropout": np.float32(0.5), "warm_start": np.True_}
    loaded = round_trip(altered_copy(small, **params), path)
    assert {name: loaded.get_params()[name] for name in params} == params
    assert type(loaded.epochs) is int


def test_the_cache_of_a_machine_is_not_kept(model, corpus, path, tmp_path):
    cached = Pipeline([("mfcc", clone(model["mfcc"])), ("classifier", model["classifier"])])
    cached.set_params(mfcc__cache=tmp_path / "cache", mfcc__memory_map=True)
    loaded = round_trip(cached, path)
    assert (loaded["mfcc"].cache, loaded["mfcc"].memory_map) == (None, False)
    np.testing.assert_array_equal(
        loaded.predict_proba(corpus.data[:2]), cached.predict_proba(corpus.data[:2])
    )


def test_a_random_state_is_not_kept(small, path):
    drawing = altered_copy(small, random_state=np.random.RandomState(3))
    assert round_trip(drawing, path).random_state is None


def test_parameters_that_are_tuples_come_back_as_tuples(model, corpus, path):
    mfcc = MFCCTransformer(duration=0.25, n_mfcc=64, window=("kaiser", 14.0))
    pipeline = Pipeline([("mfcc", mfcc), ("classifier", model["classifier"])])
    loaded = round_trip(pipeline, path)
    assert loaded["mfcc"].window == ("kaiser", 14.0)
    np.testing.assert_array_equal(
        loaded.predict_proba(corpus.data[:2]), pipeline.predict_proba(corpus.data[:2])
    )


def test_another_process_predicts_the_same(model, corpus, saved, path):
    path.write_bytes(saved)
    script = (
        "import json, sys, numpy, skser\n"
        "model = skser.load(sys.argv[1])\n"
        "waveform = numpy.load(sys.argv[2])\n"
        "print(json.dumps(model.predict_proba([waveform]).tolist()))\n"
    )
    np.save(path.with_suffix(".npy"), corpus.data[0])
    answer = subprocess.run(
        [sys.executable, "-c", script, path, path.with_suffix(".npy")],
        capture_output=True,
        text=True,
        check=True,
    )
    there = json.loads(answer.stdout.splitlines()[-1])
    np.testing.assert_allclose(there, model.predict_proba(corpus.data[:1]), rtol=0, atol=1e-6)


# --- what cannot be saved --------------------------------------------------------------------


def test_an_unfitted_model_is_not_saved(path):
    with pytest.raises(NotFittedError, match="LightSERNetClassifier instance is not fitted yet"):
        skser.save(make_light_sernet(), path)
    assert not path.exists()


@pytest.mark.parametrize(
    "foreign",
    [LogisticRegression(), make_pipeline(MFCCTransformer(), LogisticRegression()), None],
    ids=["estimator", "pipeline", "None"],
)
def test_foreign_models_are_not_saved(foreign, path):
    with pytest.raises(TypeError, match=r"skser\.save takes a LightSERNetClassifier or a Pipeline"):
        skser.save(foreign, path)


def test_a_model_that_adapts_is_not_saved(small, path):
    with pytest.raises(ValueError, match="takes no model with speaker_adaptation=True"):
        skser.save(altered_copy(small, speaker_adaptation=True), path)


def test_a_loaded_model_can_be_made_to_adapt(small, path):
    skser.save(small, path)
    loaded = skser.load(path).set_params(speaker_adaptation=True)
    expected = altered_copy(small, speaker_adaptation=True).predict_proba(MFCC)
    np.testing.assert_array_equal(loaded.predict_proba(MFCC), expected)


def test_a_parameter_that_is_no_plain_value_is_named(small, path):
    with pytest.raises(TypeError, match=r"step 'classifier' is no plain value: 1j"):
        skser.save(altered_copy(small, learning_rate=1j), path)


def test_a_failure_while_writing_keeps_the_old_file(model, saved, path, monkeypatch):
    path.write_bytes(saved)

    def fail(*args):
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "writestr", fail)
        with pytest.raises(OSError, match="No space left on device"):
            skser.save(model, path)
    assert path.read_bytes() == saved
    assert list(path.parent.iterdir()) == [path]


# --- files that are no models ----------------------------------------------------------------


def foreign_zip():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("hello.txt", "hello")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"just text\n", foreign_zip(), npz(MFCC), pickle.dumps({"a": 1})],
    ids=["empty", "text", "zip", "npz", "pickle"],
)
def test_foreign_files_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"model\.skser' is no model of skser"):
        skser.load(path)


def test_a_missing_file_is_named(path):
    with pytest.raises(ModelFileError, match=r"model\.skser' is missing or no file"):
        skser.load(path)


def weights(model):
    return model["classifier"].keras_classifier_.model_.get_weights()


def structural_positions(saved):
    """Where the archive describes itself: there a flipped byte does the most."""
    with zipfile.ZipFile(io.BytesIO(saved)) as archive:
        headers = [info.header_offset for info in archive.infolist()]
        return [*range(archive.start_dir, len(saved)), *(h + k for h in headers for k in range(45))]


def test_an_archive_with_a_flipped_byte_is_read_rightly_or_refused(saved, path):
    path.write_bytes(saved)
    members = _read_members(path)
    refused = 0
    for count, position in enumerate(structural_positions(saved)):
        altered = bytearray(saved)
        altered[position] ^= (1, 6, 128, 255)[count % 4]
        path.write_bytes(altered)
        try:
            assert _read_members(path) == members
        except ModelFileError:
            refused += 1
    assert refused > 100


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipping_any_byte_is_harmless(model, saved, path, data):
    altered = bytearray(saved)
    position = data.draw(st.integers(0, len(saved) - 1))
    altered[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(altered)
    try:
        loaded = skser.load(path)
    except ModelFileError:
        return
    for theirs, ours in zip(weights(loaded), weights(model), strict=True):
        np.testing.assert_array_equal(theirs, ours)
    np.testing.assert_array_equal(loaded.classes_, model.classes_)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_cut_short_is_refused(saved, path, data):
    path.write_bytes(saved[: data.draw(st.integers(0, len(saved) - 1))])
    with pytest.raises(ModelFileError, match="is no model of skser"):
        skser.load(path)


@pytest.mark.parametrize("name", ["model.json", "weights.npz"])
def test_an_altered_member_is_named(saved, path, name):
    with zipfile.ZipFile(io.BytesIO(saved)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members[name] += b" "
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    with pytest.raises(ModelFileError, match=f"was altered: '{name}' does not match"):
        skser.load(path)


def test_rewriting_without_a_change_loads(saved, path, model):
    rewrite(path, saved)
    for theirs, ours in zip(weights(skser.load(path)), weights(model), strict=True):
        np.testing.assert_array_equal(theirs, ours)


@pytest.mark.parametrize(
    "changes",
    [
        {"params": 5},
        {"params": {}},
        {"params": {"classifier": {}, "surprise": {}}},
        {"params__classifier__surprise": 1},
        {"params__classifier__loss": "hinge"},
        {"params__classifier__epochs": -1},
        {"params__classifier__paths": ["sideways"]},
        {"params__classifier__paths": ["temporal"]},
        {"params__classifier__class_weight": [1, 2]},
        {"params__mfcc__n_mfcc": 0},
        {"params__mfcc__fmax": 1e9},
        {"params__mfcc__window": "no such window"},
        {"params__mfcc__n_mfcc": 13},
        {"n_mfcc": 13},
        {"n_mfcc": "40"},
        {"n_mfcc": -40},
        {"n_mfcc": None},
        {"classes": ["anger"]},
        {"classes": 7},
        {"classes_dtype": "<no such dtype"},
        {"classes_dtype": "<i8"},
        {"weights": 7},
        {"weights": []},
        {"weights": ["one"]},
        {"weights": ["too many"] * 99},
    ],
    ids=lambda changes: "-".join(f"{k}={v!r:.20}" for k, v in changes.items()),
)
def test_nonsense_with_right_checksums_is_refused(saved, path, changes):
    rewrite(path, saved, **changes)
    with pytest.raises(ModelFileError, match="does not describe a model that this skser can build"):
        skser.load(path)


@pytest.mark.parametrize("content", [b"[1, 2]", b'{"format": "other"}', b"no JSON", b"\xff"])
def test_settings_of_another_kind_are_refused(saved, path, content):
    rewrite(path, saved, members={"model.json": content})
    with pytest.raises(ModelFileError, match=r"model\.skser' is (no model of skser|damaged)"):
        skser.load(path)


def test_a_newer_format_asks_for_a_newer_skser(saved, path):
    rewrite(path, saved, format_version=2)
    with pytest.raises(ModelFileError, match=r"has format 2, .* install a newer skser"):
        skser.load(path)


def test_weights_that_do_not_fit_are_refused(model, saved, path):
    first, *others = weights(model)
    for altered in (
        b"no archive",
        npz(first, *others[:-1]),
        npz(*reversed(others), first),
        npz(first[..., :-1], *others),
        npz(np.full(first.shape, "text"), *others),
    ):
        rewrite(path, saved, members={"weights.npz": altered})
        with pytest.raises(ModelFileError, match="does not describe a model"):
            skser.load(path)


class Payload:
    """Unpickling this creates a file."""

    def __init__(self, victim):
        self.victim = victim

    def __reduce__(self):
        return Path.touch, (self.victim,)


def test_nothing_in_a_file_is_executed(saved, path, tmp_path):
    victim = tmp_path / "executed"
    arrays = npz(np.array([Payload(victim)], dtype=object))
    with np.load(io.BytesIO(arrays), allow_pickle=True) as archive:
        archive["arr_0"]
    assert victim.exists()  # the payload works
    victim.unlink()

    rewrite(path, saved, members={"weights.npz": arrays}, weights=["payload"])
    with pytest.raises(ModelFileError, match="does not describe a model"):
        skser.load(path)
    path.write_bytes(pickle.dumps(Payload(victim)))
    with pytest.raises(ModelFileError, match="is no model of skser"):
        skser.load(path)
    assert not victim.exists()


def test_oversize_members_are_refused(saved, path):
    zeros = bytes(65 * 2**20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in ("model.json", "weights.npz", "checksums.json"):
            archive.writestr(name, zeros if name == "weights.npz" else b"{}")
    with pytest.raises(ModelFileError, match="a member takes more than 67108864 bytes"):
        skser.load(path)


def test_oversize_weights_inside_a_small_member_are_refused(saved, path):
    arrays = io.BytesIO()
    np.savez_compressed(arrays, np.zeros(65 * 2**20, dtype=np.uint8))
    rewrite(path, saved, members={"weights.npz": arrays.getvalue()}, weights=["zeros"])
    with pytest.raises(ModelFileError, match="its weights are too large"):
        skser.load(path)
