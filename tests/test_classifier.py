"""LightSERNetClassifier keeps scikit-learn's contract."""

import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from skser import LightSERNetClassifier
from skser.callbacks import listen_to_epochs
from skser.exceptions import TrainingError

LABELS = ["anger", "fear", "sadness"]


def tiny(**params):
    """Make a classifier whose fit takes a moment."""
    return LightSERNetClassifier(
        **{"epochs": 1, "batch_size": 64, "paths": ("spectral",), "random_state": 0, **params}
    )


@pytest.fixture(scope="module")
def mfcc():
    """Return MFCCs of three emotions that differ in one coefficient each, and the labels."""
    generator = np.random.default_rng(0)
    labels = np.repeat(LABELS, 10)
    X = generator.normal(size=(30, 12, 8)).astype(np.float32)
    for row, label in enumerate(labels):
        X[row, :, LABELS.index(label)] += 4
    return X, labels


@pytest.fixture(scope="module")
def fitted(mfcc):
    return tiny().fit(*mfcc)


def expected_failures(_estimator):
    reason = (
        "batch normalisation learns from every utterance of a batch, whatever its weight in the "
        "loss, and the batches of repeated utterances are other ones"
    )
    return {
        "check_sample_weight_equivalence_on_dense_data": reason,
    }


@parametrize_with_checks([tiny()], expected_failed_checks=expected_failures)
def test_passes_the_common_checks(estimator, check):
    check(estimator)


def test_all_common_checks_run():
    checks = list(estimator_checks_generator(tiny(), mark=None))
    assert len(checks) >= 60


def test_a_fit_that_fails_leaves_no_earlier_network_behind(mfcc):
    X, y = mfcc
    classifier = tiny(epoch_selection="inner").fit(X, y, groups=np.tile(["a", "b", "c"], 10))
    with pytest.raises(ValueError, match="sets speakers aside inside fit, so fit needs them"):
        classifier.fit(X, np.roll(y, 1))
    with pytest.raises(NotFittedError):
        classifier.predict(X)


def test_is_a_classifier_so_integer_cv_stratifies(mfcc):
    assert is_classifier(LightSERNetClassifier())
    cv = check_cv(3, mfcc[1], classifier=is_classifier(LightSERNetClassifier()))
    assert isinstance(cv, StratifiedKFold)


def test_defaults_are_the_papers():
    params = LightSERNetClassifier().get_params()
    assert params["epochs"] == 300
    assert params["batch_size"] == 32
    assert params["learning_rate"] == 1e-4
    assert params["learning_rate_schedule"] == "step"
    assert params["dropout"] == 0.3
    assert params["l2"] == 1e-6
    assert params["gamma"] == 2.0
    assert params["epoch_selection"] == "last"


def test_learns_what_can_be_learnt(mfcc):
    X, y = mfcc
    classifier = tiny(
        epochs=60, batch_size=8, learning_rate=3e-3, learning_rate_schedule="cosine", loss="focal"
    )
    assert classifier.fit(X, y).score(X, y) > 0.9
    assert classifier.history_["loss"][-1] < classifier.history_["loss"][0] / 2


def test_predicts_string_labels_and_probabilities(mfcc, fitted):
    X, _ = mfcc
    assert fitted.classes_.tolist() == LABELS
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (30, 3)
    assert np.array_equal(fitted.predict(X), fitted.classes_[probabilities.argmax(axis=1)])


def test_one_utterance_gives_one_row_as_in_a_batch(mfcc, fitted):
    X, _ = mfcc
    alone = fitted.predict_proba(X[:1])
    assert alone.shape == (1, 3)
    np.testing.assert_allclose(alone, fitted.predict_proba(X)[:1], atol=1e-6)


@pytest.mark.parametrize("n_frames", [5, 40])
def test_predicts_another_number_of_frames(fitted, n_frames):
    assert fitted.predict_proba(np.zeros((2, n_frames, 8))).shape == (2, 3)


def test_takes_utterances_of_different_lengths(mfcc):
    X, y = mfcc
    utterances = [mfcc[: 6 + row % 5] for row, mfcc in enumerate(X)]
    classifier = tiny(batch_size=4).fit(utterances, y)
    together = classifier.predict_proba(utterances)
    alone = np.concatenate([classifier.predict_proba([utterance]) for utterance in utterances])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_seeded_fit_repeats_exactly(mfcc, fitted):
    again = clone(fitted).fit(*mfcc)
    assert np.array_equal(fitted.predict_proba(mfcc[0]), again.predict_proba(mfcc[0]))
    assert fitted.history_["loss"] == again.history_["loss"]


def test_seed_changes_the_fit(mfcc, fitted):
    other = tiny(random_state=1).fit(*mfcc)
    assert not np.allclose(fitted.predict_proba(mfcc[0]), other.predict_proba(mfcc[0]))


def test_fit_leaves_the_global_generator_alone(mfcc):
    np.random.seed(0)  # noqa: NPY002 - the legacy generator is what must not move
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    tiny().fit(*mfcc)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("keep", ["pickle", "joblib"])
def test_fitted_classifier_survives(mfcc, fitted, tmp_path, keep):
    if keep == "pickle":
        kept = pickle.loads(pickle.dumps(fitted))
    else:
        joblib.dump(fitted, tmp_path / "classifier.joblib")
        kept = joblib.load(tmp_path / "classifier.joblib")
    assert np.array_equal(fitted.predict_proba(mfcc[0]), kept.predict_proba(mfcc[0]))
    assert kept.history_ == fitted.history_


def test_history_has_one_entry_an_epoch(mfcc):
    history = tiny(epochs=3, learning_rate_schedule=None).fit(*mfcc).history_
    assert set(history) == {"loss", "accuracy", "learning_rate", "seconds"}
    assert all(len(values) == 3 for values in history.values())
    assert history["learning_rate"] == [1e-4] * 3


def test_history_of_an_epoch_is_the_mean_over_its_utterances(mfcc):
    """The learning rate changes nothing, so the loss is that of the initial weights."""
    X, y = mfcc
    params = {"batch_size": 30, "learning_rate": 1e-30, "dropout": 0.0, "l2": 0.0}
    weight = np.linspace(0.0, 2.0, 30)
    weighted = tiny(**params).fit(X, y, sample_weight=weight)
    plain = tiny(**params).fit(X, y)
    network = plain.keras_classifier_.model_
    probability = np.asarray(network(X, training=True))[np.arange(30), np.searchsorted(LABELS, y)]
    loss = -np.log(probability)
    assert plain.history_["loss"][0] == pytest.approx(loss.mean(), rel=1e-4)
    assert weighted.history_["loss"][0] == pytest.approx((weight * loss).mean(), rel=1e-4)
    accuracy = tiny(**{**params, "batch_size": 20}).fit(X, y).history_["accuracy"][0]
    assert accuracy * 30 == pytest.approx(round(accuracy * 30), abs=1e-4)


def test_parameters_reach_the_network(mfcc):
    params = {"dropout": 0.125, "l2": 0.25, "loss": "focal", "gamma": 1.5, "paths": ("temporal",)}
    network = tiny(**params).fit(*mfcc).keras_classifier_.model_
    assert network.get_layer("dropout").rate == 0.125
    assert float(network.get_layer("body_2_1").kernel_regularizer.l2) == 0.25
    assert network.loss.gamma == 1.5
    assert network.get_layer("body_1_temporal").filters == 96


def test_names_of_the_paths_are_the_networks():
    from skser.network import PATHS

    assert LightSERNetClassifier().paths == tuple(PATHS)


def test_warm_start_goes_on(mfcc):
    classifier = tiny(warm_start=True).fit(*mfcc)
    network = classifier.keras_classifier_.model_
    classifier.fit(*mfcc)
    assert classifier.keras_classifier_.model_ is network
    assert len(classifier.history_["loss"]) == 2


def test_warm_start_refuses_new_classes(mfcc):
    X, y = mfcc
    classifier = tiny(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=r"new ones \['joy'\]; use a new classifier"):
        classifier.fit(X, np.where(y == "fear", "joy", y))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loss", "focal"),
        ("dropout", 0.9),
        ("paths", ("temporal",)),
        ("l2", 1.0),
        ("precision", "bfloat16"),
    ],
)
def test_warm_start_refuses_another_network(mfcc, name, value):
    classifier = tiny(warm_start=True).fit(*mfcc).set_params(**{name: value})
    with pytest.raises(ValueError, match=f"the '{name}' parameter .* stay as in the first fit"):
        classifier.fit(*mfcc)


def test_bfloat16_trains_goes_on_and_survives(mfcc, fitted):
    classifier = clone(tiny(precision="bfloat16", warm_start=True)).fit(*mfcc)
    np.testing.assert_allclose(classifier.history_["loss"], fitted.history_["loss"], rtol=0.05)
    assert classifier.history_["loss"] != fitted.history_["loss"]
    kept = pickle.loads(pickle.dumps(classifier.fit(*mfcc)))
    probabilities = kept.predict_proba(mfcc[0])
    assert probabilities.dtype == np.float32
    assert np.array_equal(probabilities, classifier.predict_proba(mfcc[0]))


def test_refuses_another_precision(mfcc):
    with pytest.raises(ValueError, match=r"'precision' parameter .* must be a str among"):
        tiny(precision="float16").fit(*mfcc)


def test_fit_without_warm_start_begins_anew(mfcc, fitted):
    classifier = tiny().fit(*mfcc)
    classifier.fit(*mfcc)
    assert classifier.history_["loss"] == fitted.history_["loss"]


def test_sample_weight_is_used_and_left_as_it_is(mfcc, fitted):
    weight = np.where(mfcc[1] == "fear", 5.0, 0.5).astype(np.float32)
    kept = weight.copy()
    weighted = tiny(class_weight={"fear": 2.0}).fit(*mfcc, sample_weight=weight)
    assert np.array_equal(weight, kept)
    assert weighted.history_["loss"] != fitted.history_["loss"]


def test_class_weight_equals_sample_weight(mfcc):
    by_class = {"anger": 3.0, "fear": 1.0, "sadness": 0.5}
    by_sample = [by_class[label] for label in mfcc[1]]
    one = tiny(class_weight=by_class).fit(*mfcc)
    other = tiny().fit(*mfcc, sample_weight=by_sample)
    np.testing.assert_allclose(one.predict_proba(mfcc[0]), other.predict_proba(mfcc[0]))


def test_balanced_class_weight_is_none_for_balanced_classes(mfcc, fitted):
    balanced = tiny(class_weight="balanced").fit(*mfcc)
    np.testing.assert_allclose(
        balanced.predict_proba(mfcc[0]), fitted.predict_proba(mfcc[0]), atol=1e-6
    )


def test_focal_loss_at_gamma_0_trains_as_cross_entropy(mfcc, fitted):
    focal = tiny(loss="focal", gamma=0.0).fit(*mfcc)
    np.testing.assert_allclose(
        focal.predict_proba(mfcc[0]), fitted.predict_proba(mfcc[0]), atol=1e-4
    )


def test_reports_each_epoch(mfcc):
    heard = []
    with listen_to_epochs(lambda *epoch: heard.append(epoch)):
        tiny(epochs=2).fit(*mfcc)
    assert [epoch[:2] for epoch in heard] == [(1, 2), (2, 2)]
    assert heard[0][2]["loss"] > 0


def test_verbose_shows_a_bar_and_others_still_hear(mfcc, capsys):
    heard = []
    with listen_to_epochs(lambda *epoch: heard.append(epoch)):
        tiny(epochs=2, verbose=1).fit(*mfcc)
    assert len(heard) == 2
    assert "Epochs" in capsys.readouterr().err


def test_silent_without_verbose(mfcc, capfd):
    tiny().fit(*mfcc).predict(mfcc[0])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"loss": "hinge"}, "The 'loss' parameter of LightSERNetClassifier must be a str among"),
        ({"epochs": 0}, r"The 'epochs' parameter .* in the range \[1, inf\). Got 0 instead"),
        ({"dropout": 1.0}, r"The 'dropout' parameter .* in the range \[0.0, 1.0\)"),
        ({"learning_rate_schedule": "linear"}, "The 'learning_rate_schedule' parameter"),
        ({"paths": ()}, "The 'paths' parameter .* must be a tuple of one to three"),
        ({"paths": ("time",)}, r"The 'paths' parameter .* Got \('time',\) instead"),
        ({"paths": ("temporal", "temporal")}, "three different names"),
    ],
)
def test_refuses_parameters_out_of_range(mfcc, params, message):
    with pytest.raises(ValueError, match=message):
        tiny(**params).fit(*mfcc)


def test_refuses_one_class(mfcc):
    with pytest.raises(ValueError, match=r"needs at least two classes\. Got 1 class: 'anger'"):
        tiny().fit(mfcc[0][:10], mfcc[1][:10])


def test_refuses_other_lengths_of_x_and_y(mfcc):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        tiny().fit(mfcc[0], mfcc[1][:-1])


def test_refuses_mfccs_that_are_not_finite(mfcc):
    X = mfcc[0].copy()
    X[3, 2, 1] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        tiny().fit(X, mfcc[1])


def test_refuses_another_number_of_coefficients(fitted):
    with pytest.raises(ValueError, match=r"X has 9 coefficients a frame, but .* fitted with 8"):
        fitted.predict(np.zeros((2, 12, 9)))


def test_refuses_lists_of_different_widths(mfcc):
    with pytest.raises(ValueError, match=r"as many coefficients. Got \[7, 8\]"):
        tiny().fit([np.zeros((5, 7)), np.zeros((5, 8))], ["anger", "fear"])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("scale", "rate"), [(1, 1e30), (1e25, 1e-4)])
def test_says_when_training_diverges(mfcc, scale, rate, precision):
    X, y = scale * mfcc[0], mfcc[1]
    classifier = tiny(
        learning_rate=rate, epochs=5, learning_rate_schedule=None, precision=precision
    )
    with pytest.raises(TrainingError, match=r"loss is .* lower the 'learning_rate' parameter"):
        classifier.fit(X, y)
    with pytest.raises(NotFittedError, match="not fitted"):
        classifier.predict(X)


@pytest.mark.parametrize("weight", [np.nan, -1.0])
def test_refuses_class_weights_out_of_range(mfcc, weight):
    with pytest.raises(ValueError, match=r"The 'class_weight' parameter .* finite weights"):
        tiny(class_weight={"fear": weight}).fit(*mfcc)


def test_refuses_negative_sample_weights(mfcc):
    with pytest.raises(ValueError, match="Negative values"):
        tiny().fit(*mfcc, sample_weight=-np.ones(30))


@pytest.mark.parametrize("shape", [(30, 0, 8), (30, 12, 0)])
def test_refuses_utterances_without_a_frame_or_coefficient(mfcc, shape):
    with pytest.raises(ValueError, match=r"one frame and one coefficient\. Got shape \(30, "):
        tiny().fit(np.zeros(shape), mfcc[1])


def test_forgets_column_names_when_fitted_on_mfccs(mfcc):
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 5)), columns=list("abcde"))
    classifier = tiny().fit(table, mfcc[1])
    assert list(classifier.feature_names_in_) == list("abcde")
    assert not hasattr(classifier.fit(*mfcc), "feature_names_in_")


def test_pickle_is_read_in_a_new_process(mfcc, fitted, tmp_path):
    joblib.dump((fitted, mfcc[0]), tmp_path / "fitted.joblib")
    script = (
        "import joblib, sys; classifier, X = joblib.load(sys.argv[1]);print(*classifier.predict(X))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "fitted.joblib")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == fitted.predict(mfcc[0]).tolist()
