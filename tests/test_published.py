"""The procedure of the published code, what it says of itself, and networks in float16.

One tiny network is trained under two protocols, and again by hand.
"""

import inspect
import json

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from standin import StandIn

from skser import Evaluation, LightSERNetClassifier, evaluate, make_light_sernet
from skser._predictions import _predict_in_float16
from skser.audit import split_corpus
from skser.datasets import make_emotional_speech
from skser.exceptions import EvaluationError
from skser.plotting import plot_confusion_matrix

CAVEAT = "knows the test fold"
N_EPOCHS = 3
FILES = ("predictions.csv", "folds.csv", "confusion.csv", "scores.json", "settings.json")


@pytest.fixture(scope="module")
def speech():
    return make_emotional_speech(2, n_utterances=2, random_state=0)


def make_model(**params):
    params = {"epochs": N_EPOCHS, "learning_rate": 3e-4, "learning_rate_schedule": None} | params
    return make_light_sernet(recipe="short", duration=0.25, batch_size=8, random_state=0, **params)


@pytest.fixture(scope="module")
def evaluations(speech, tmp_path_factory):
    """The evaluation and the folder of each protocol."""
    made = {}
    for protocol in ("published", "leave-one-speaker-out"):
        out = tmp_path_factory.mktemp(protocol)
        made[protocol] = evaluate(make_model(), speech, protocol=protocol, out=out), out
    return made


@pytest.fixture(scope="module")
def published(evaluations):
    return evaluations["published"][0]


@pytest.fixture(scope="module")
def trained(speech):
    """Networks trained by hand on the published folds, for each number of epochs."""
    networks = []
    for fold in split_corpus(speech, "published"):
        data = [speech.data[row] for row in fold.train]
        models = [make_model(epochs=epochs + 1) for epochs in range(N_EPOCHS)]
        networks.append((fold, [model.fit(data, speech.target[fold.train]) for model in models]))
    return networks


# --- the epoch -------------------------------------------------------------------------------


def test_the_epoch_is_the_last_of_those_with_the_best_accuracy(speech, published, trained):
    chosen = []
    for fold, models in trained:
        unheard = [speech.data[row] for row in fold.test]
        accuracy = [np.mean(model.predict(unheard) == speech.target[fold.test]) for model in models]
        epoch = max(range(N_EPOCHS), key=lambda epoch: (accuracy[epoch], epoch))
        chosen.append(epoch + 1)
        table = published.predictions.loc[fold.test]
        assert table["prediction"].tolist() == models[epoch].predict(unheard).tolist()
        columns = [f"p_{emotion}" for emotion in speech.target_names]
        np.testing.assert_array_equal(table[columns], models[epoch].predict_proba(unheard))
    assert published.folds["epoch"].tolist() == chosen
    assert min(chosen) < N_EPOCHS  # or the last epoch would have done
    assert published.settings["epoch"] == (
        f"the last of {N_EPOCHS} with the best accuracy on the test fold"
    )


def test_the_last_epoch_is_that_of_an_honest_fit(speech, published, trained):
    last = published.predictions["prediction_last_epoch"]
    for fold, models in trained:
        unheard = [speech.data[row] for row in fold.test]
        assert last.loc[fold.test].tolist() == models[-1].predict(unheard).tolist()
    wa = np.mean(last == published.predictions["label"])
    assert published.alternatives.loc["last_epoch", "wa"] == pytest.approx(wa)
    assert published.pooled["wa"] >= wa


def test_patience_does_not_end_the_published_training(speech, published):
    patient = evaluate(make_model(patience=1), speech, protocol="published")
    assert patient.predictions.equals(published.predictions)
    assert patient.folds["epoch"].tolist() == published.folds["epoch"].tolist()


def test_features_of_another_type_are_judged(speech):
    model = make_model(epochs=1)
    model.steps.insert(1, ("nothing", "passthrough"))
    features = model["mfcc"].fit_transform(speech.data)
    speech = type(speech)(**{**speech, "data": list(features.astype(float))})
    evaluation = evaluate(model["classifier"], speech, protocol="published")
    assert evaluation.caveat == CAVEAT


def test_a_step_that_passes_through_changes_nothing(speech, evaluations):
    model = make_model()
    model.steps.insert(1, ("nothing", "passthrough"))
    evaluation = evaluate(model, speech)
    assert evaluation.predictions.equals(evaluations["leave-one-speaker-out"][0].predictions)


@pytest.mark.parametrize(
    "model", [StandIn(), GridSearchCV(make_model(), {"classifier__epochs": [1]}, cv=2)]
)
def test_only_a_network_has_epochs_to_choose(noise, model, tmp_path):
    with pytest.raises(
        EvaluationError, match="The protocol published chooses an epoch on the test fold, so it"
    ):
        evaluate(model, noise, protocol="published", out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_classifier_has_no_parameter_for_it():
    classifier = LightSERNetClassifier()
    parameters = {*inspect.signature(classifier.fit).parameters, *classifier.get_params()}
    assert not [name for name in parameters if "judge" in name or "test" in name]
    (selection,) = classifier._parameter_constraints["epoch_selection"]
    assert selection.options == {"last", "inner"}
    with pytest.raises(TypeError, match="unexpected keyword argument 'judge'"):
        classifier.fit(np.zeros((2, 3, 4)), ["anger", "fear"], judge=lambda network: 0)


# --- what it says of itself ------------------------------------------------------------------


def written(out):
    paths = [*(out / name for name in FILES), *out.glob("folds/seed-0/*.json")]
    assert len(paths) == len(FILES) + 2
    assert {path for path in out.rglob("*") if path.is_file()} == {*paths}
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def said(evaluation):
    title = plot_confusion_matrix(evaluation).ax_.get_title()
    return {"print": str(evaluation), "card": evaluation.card, "title": title}


def test_everything_published_says_that_it_knows_the_test_fold(evaluations):
    evaluation, out = evaluations["published"]
    texts = written(out) | said(evaluation)
    assert [name for name, text in texts.items() if CAVEAT not in text] == []
    assert set(evaluation.predictions["caveat"]) == set(evaluation.folds["caveat"]) == {CAVEAT}
    assert json.loads(texts["scores.json"])["caveat"] == CAVEAT
    assert f"Protocol: published ({CAVEAT}), 2 folds" in evaluation.card
    assert texts["confusion.csv"].startswith(f"label \\ prediction ({CAVEAT}),")


def test_nothing_else_says_so(evaluations):
    evaluation, out = evaluations["leave-one-speaker-out"]
    texts = written(out) | said(evaluation)
    assert [name for name, text in texts.items() if CAVEAT in text] == []
    assert evaluation.caveat == ""
    assert "prediction_last_epoch" not in evaluation.predictions
    assert evaluation.alternatives.index.tolist() == ["float16"]


@pytest.mark.parametrize("protocol", ["published", "leave-one-speaker-out"])
def test_networks_that_were_saved_are_loaded(evaluations, protocol):
    evaluation, out = evaluations[protocol]
    assert Evaluation.load(out) == evaluation


def test_several_seeds_of_the_network(speech, evaluations, tmp_path):
    alone, _ = evaluations["leave-one-speaker-out"]
    both = evaluate(make_model(), speech, seeds=(0, 1), out=tmp_path)
    first = both.predictions[both.predictions["seed"] == 0]
    assert first.equals(alone.predictions)
    assert (first["p_fear"].to_numpy() != both.predictions["p_fear"][len(first) :]).any()
    assert Evaluation.load(tmp_path) == both


# --- float16 ---------------------------------------------------------------------------------


def test_float16_predictions_are_those_of_rounded_weights(speech, evaluations):
    table = evaluations["leave-one-speaker-out"][0].predictions
    for fold in split_corpus(speech):
        model = make_model().fit(
            [speech.data[row] for row in fold.train], speech.target[fold.train]
        )
        network = model["classifier"].keras_classifier_.model_
        network.set_weights([w.astype("float16").astype("float32") for w in network.get_weights()])
        expected = model.predict([speech.data[row] for row in fold.test])
        assert table.loc[fold.test, "prediction_float16"].tolist() == expected.tolist()


def test_rounding_leaves_the_weights_as_they_were(speech, trained):
    _, (*_, model) = trained[0]
    mfcc, classifier = model["mfcc"].transform(speech.data), model["classifier"]
    network = classifier.keras_classifier_.model_
    before, exact = network.get_weights(), classifier.predict_proba(mfcc)
    rounded = _predict_in_float16(classifier, mfcc)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(classifier.predict_proba(mfcc), exact)
    assert (rounded != exact).any()
    np.testing.assert_allclose(rounded, exact, atol=0.05)
    network.set_weights([weight.astype("float16") for weight in before])
    np.testing.assert_array_equal(classifier.predict_proba(mfcc), rounded)
    network.set_weights(before)


def test_float16_scores_are_printed(evaluations):
    evaluation, _ = evaluations["leave-one-speaker-out"]
    right = evaluation.predictions["prediction_float16"] == evaluation.predictions["label"]
    assert evaluation.alternatives.loc["float16", "wa"] == pytest.approx(right.mean())
    (line,) = [row for row in str(evaluation).splitlines() if row.startswith("float16 weights")]
    assert f"{100 * right.mean():.2f}" in line
