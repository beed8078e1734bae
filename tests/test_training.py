"""Batches and the loops over them."""

import itertools

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skser.network import build_light_sernet
from skser.training import predict, train, training_batches


@pytest.fixture(scope="module")
def network():
    return build_light_sernet(3, seed=0)


@given(
    n_frames=st.lists(st.integers(1, 30), min_size=1, max_size=40),
    batch_size=st.integers(1, 8),
    seed=st.integers(0, 9),
)
def test_batches_of_lists_hold_each_utterance_once_and_neighbours_in_length(
    n_frames, batch_size, seed
):
    X = [np.zeros((n, 4), np.float32) for n in n_frames]
    batches = list(training_batches(X, np.arange(len(X)), batch_size, np.random.default_rng(seed)))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(X)))
    assert all(len(batch) <= batch_size for batch in batches)
    spans = sorted((min(n_frames[r] for r in b), max(n_frames[r] for r in b)) for b in batches)
    assert all(longest < 1.1 * shortest or longest == shortest for shortest, longest in spans)
    assert all(high <= low for (_, high), (low, _) in itertools.pairwise(spans))


def test_batches_of_arrays_are_shuffled_anew_each_epoch():
    X, generator = np.zeros((20, 5, 4), np.float32), np.random.default_rng(0)
    rows = np.arange(3, 20)
    first, second = (np.concatenate([*training_batches(X, rows, 8, generator)]) for _ in range(2))
    assert sorted(first.tolist()) == sorted(second.tolist()) == rows.tolist()
    assert not np.array_equal(first, second)


def test_prediction_of_an_utterance_does_not_depend_on_its_batch(network):
    generator = np.random.default_rng(0)
    X = [generator.normal(size=(n, 40)).astype(np.float32) for n in (30, 12, 30, 45, 12)]
    together = predict(network, X, batch_size=2)
    alone = np.concatenate([predict(network, [mfcc], batch_size=2) for mfcc in X])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_prediction_equals_keras_own(network):
    X = np.random.default_rng(0).normal(size=(5, 20, 40)).astype(np.float32)
    np.testing.assert_allclose(
        predict(network, X, batch_size=2), network.predict_on_batch(X), atol=1e-6
    )


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow traces")
def test_prediction_traces_the_network_once_for_all_lengths_and_numbers(monkeypatch):
    # the dropout of no other test, whose graph would serve
    traced, head = [], build_light_sernet(3, dropout=0.123)
    layer = head.get_layer("emotion")
    monkeypatch.setattr(
        layer,
        "call",
        lambda *args, call=layer.call, **options: traced.append(0) or call(*args, **options),
    )
    generator = np.random.default_rng(0)
    for length, number in itertools.product((1, 7, 20, 184), (1, 2, 5)):
        X = generator.normal(size=(number, length, 40)).astype(np.float32)
        predict(head, X, batch_size=4)
    predict(head, [X[0][:9], X[1][:11]], batch_size=4)
    assert len(traced) == 1


def test_prediction_follows_new_weights(network):
    X = np.random.default_rng(0).normal(size=(2, 20, 40)).astype(np.float32)
    other = build_light_sernet(3, seed=1)
    before = predict(other, X, batch_size=2)
    other.set_weights(network.get_weights())
    np.testing.assert_allclose(predict(other, X, batch_size=2), predict(network, X, batch_size=2))
    assert not np.allclose(before, predict(network, X, batch_size=2))


def compiled(seed=0):
    network = build_light_sernet(3, n_mfcc=8, dropout=0.0, seed=seed)
    network.compile(keras.optimizers.Adam(), "categorical_crossentropy", metrics=["accuracy"])
    return network


def train_compiled(network, schedule, **params):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(20, 12, 8)).astype(np.float32)
    y, weight = generator.integers(3, size=20), generator.uniform(size=20).astype(np.float32)
    rows = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-4, "generator": generator, **params}
    return train(network, X, np.eye(3, dtype=np.float32)[y], weight, schedule=schedule, **rows)


def test_one_graph_trains_as_keras_does(monkeypatch):
    ours, plain = compiled(), compiled()
    history = train_compiled(ours, "cosine")
    # what the other backends use
    monkeypatch.setattr("skser.training._train_step", lambda network: network.train_on_batch)
    expected = train_compiled(plain, "cosine")
    np.testing.assert_allclose(history["loss"], expected["loss"], atol=1e-4)
    np.testing.assert_allclose(history["accuracy"], expected["accuracy"], atol=1e-6)
    X = np.random.default_rng(1).normal(size=(4, 12, 8)).astype(np.float32)
    np.testing.assert_allclose(ours.predict_on_batch(X), plain.predict_on_batch(X), atol=1e-3)


def test_learning_rate_of_the_epoch_is_the_optimizers():
    network = compiled()
    before = network.get_layer("body_2_1").kernel.numpy()
    history = train_compiled(network, None, learning_rate=1e-30)
    np.testing.assert_allclose(network.get_layer("body_2_1").kernel.numpy(), before, atol=1e-20)
    assert float(network.optimizer.learning_rate) == pytest.approx(1e-30)
    assert history["learning_rate"] == [1e-30, 1e-30]


def test_after_epoch_hears_adds_and_stops():
    heard = []

    def after_epoch(epoch, logs):
        assert set(logs) == {"loss", "accuracy", "learning_rate", "seconds"}
        heard.append(epoch)
        logs["figure"] = 10.0 * epoch
        return epoch == 2

    history = train_compiled(compiled(), None, epochs=4, after_epoch=after_epoch)
    assert heard == [1, 2]
    assert history["figure"] == [10.0, 20.0]
    assert {len(values) for values in history.values()} == {2}


@pytest.mark.parametrize("kind", [np.asarray, list])
def test_some_rows_are_trained_on_as_if_there_were_no_others(kind):
    generator, rows = np.random.default_rng(0), np.array([17, 2, 5, 11, 0, 8, 3])
    X = generator.normal(size=(20, 12, 8)).astype(np.float32)
    y = np.eye(3, dtype=np.float32)[generator.integers(3, size=20)]
    weight = generator.uniform(size=20).astype(np.float32)
    settings = {"epochs": 2, "batch_size": 4, "learning_rate": 1e-3, "schedule": None}
    among, alone = compiled(), compiled()
    train(among, kind(X), y, weight, rows=rows, generator=np.random.default_rng(1), **settings)
    part = kind(X[rows]), y[rows], weight[rows]
    train(alone, *part, generator=np.random.default_rng(1), **settings)
    for one, other in zip(among.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(
        predict(among, kind(X), batch_size=3, rows=rows), predict(alone, part[0], batch_size=3)
    )
