"""A graph serves all networks of its architecture, each with its own variables."""

import gc
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from skser import LightSERNetClassifier, _tensorflow_graphs
from skser._scikeras import make_keras_classifier

N_CLASSES = 3
SETTINGS = {
    "n_mfcc": 40,
    "loss": "focal",
    "gamma": 2.0,
    "weight_decay": 0.1,
    "dropout": 0.3,
    "l2": 1e-6,
    "standardize": True,
    "batch_norm_momentum": 0.9,
    "precision": "float32",
    "paths": ("temporal", "spectral"),
}


@pytest.fixture(autouse=True)
def traced(monkeypatch):
    """Start without graphs, and return what was traced."""
    monkeypatch.setattr(_tensorflow_graphs, "_graphs", {})
    traced = []
    for name in ("_trace_forward", "_trace_step"):
        trace = getattr(_tensorflow_graphs, name)

        def _counted(network, trace=trace):
            traced.append(trace.__name__)
            return trace(network)

        monkeypatch.setattr(_tensorflow_graphs, name, _counted)
    return traced


def _network(seed=0, n_classes=N_CLASSES, **changes):
    return make_keras_classifier(n_classes, seed=seed, **{**SETTINGS, **changes}).model_


def _learn(network):
    """Train a few steps, and return all variables and a prediction."""
    generator = np.random.default_rng(0)
    for n_frames in (30, 41):
        mfcc = generator.normal(size=(6, n_frames, network.input_shape[-1])).astype(np.float32)
        target = np.eye(N_CLASSES, dtype=np.float32)[generator.integers(N_CLASSES, size=6)]
        _tensorflow_graphs.train_step(network)(mfcc, target, np.ones(6, np.float32))
    prediction = np.asarray(_tensorflow_graphs.forward(network)(mfcc))
    variables = [*network.variables, *network.optimizer.variables]
    return [*(np.array(variable) for variable in variables), prediction]


def _assert_equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_second_network_learns_as_if_it_were_the_first(traced):
    alone = _learn(_network(seed=1))
    _tensorflow_graphs._graphs.clear()
    _learn(_network(seed=0))
    assert traced.count("_trace_step") == 2
    _assert_equal(_learn(_network(seed=1)), alone)
    assert traced.count("_trace_step") == 2
    assert traced.count("_trace_forward") == 2


def test_networks_that_share_a_graph_keep_their_variables():
    first, second = _network(seed=0), _network(seed=1)
    _learn(first)
    before = [np.array(variable) for variable in (*first.variables, *first.optimizer.variables)]
    _learn(second)
    after = [np.array(variable) for variable in (*first.variables, *first.optimizer.variables)]
    _assert_equal(before, after)


def test_the_first_network_may_be_gone():
    expected = _learn(_network(seed=1))
    _tensorflow_graphs._graphs.clear()
    first = _network(seed=0)
    _learn(first)
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None
    _assert_equal(_learn(_network(seed=1)), expected)


def test_networks_learn_side_by_side_in_threads(traced):
    expected = [_learn(_network(seed=seed))[-1] for seed in range(4)]
    _tensorflow_graphs._graphs.clear()
    traced.clear()
    networks = [_network(seed=seed) for seed in range(4)]
    with ThreadPoolExecutor(2) as pool:
        predictions = [variables[-1] for variables in pool.map(_learn, networks)]
    # a thread may add up in another order, and Adam makes much of little
    np.testing.assert_allclose(predictions, expected, atol=1e-3)
    assert np.ptp(expected, axis=0).max() > 1e-2
    assert sorted(traced) == ["_trace_forward", "_trace_step"]


def test_a_copy_of_a_classifier_that_has_predicted_learns_by_itself():
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(6, 30, 40)).astype(np.float32), [0, 1, 2] * 2
    first = LightSERNetClassifier(epochs=1, warm_start=True, dropout=0.0, random_state=0).fit(X, y)
    before = first.predict_proba(X)
    copy = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(copy.predict_proba(X), before)
    again = copy.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(first.predict_proba(X), before)
    np.testing.assert_array_equal(first.fit(X, y).predict_proba(X), again)
    assert not np.array_equal(again, before)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_classes": 4},
        {"n_mfcc": 20},
        {"loss": "cross_entropy"},
        {"gamma": 1.0},
        {"weight_decay": 0.2},
        {"dropout": 0.5},
        {"l2": 1e-2},
        {"standardize": False},
        {"batch_norm_momentum": 0.5},
        {"precision": "bfloat16"},
        {"paths": ("temporal",)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_network_with_another_setting_gets_another_graph(changes, monkeypatch):
    keys = []
    monkeypatch.setattr(
        _tensorflow_graphs,
        "_find_or_trace",
        lambda trace, network, key, variables: keys.append(key),
    )
    for network in (_network(seed=1), _network(seed=2), _network(seed=1, **changes)):
        _tensorflow_graphs.train_step(network)
    assert keys[0] == keys[1] != keys[2]


def test_a_network_with_another_constant_of_keras_gets_another_graph(monkeypatch, traced):
    _learn(_network())
    monkeypatch.setattr(keras.config, "epsilon", lambda: 1e-3)
    _learn(_network())
    assert traced.count("_trace_step") == 2
