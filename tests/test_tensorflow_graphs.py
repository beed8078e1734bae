"""A graph serves all networks of its architecture, each with its own variables."""

import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from skser import _tensorflow_graphs
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
    monkeypatch.setattr(_tensorflow_graphs, "_graphs", type(_tensorflow_graphs._graphs)())
    traced = []
    for name in ("_trace_forward", "_trace_step"):
        trace = getattr(_tensorflow_graphs, name)

        def _counted(network, trace=trace):
            traced.append(trace.__name__)
            return trace(network)

        monkeypatch.setattr(_tensorflow_graphs, name, _counted)
    return traced


def _network(seed=0, **changes):
    return make_keras_classifier(N_CLASSES, seed=seed, **{**SETTINGS, **changes}).model_


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
    del first
    gc.collect()
    _assert_equal(_learn(_network(seed=1)), expected)


def test_networks_learn_side_by_side_in_threads():
    expected = [_learn(_network(seed=seed)) for seed in range(4)]
    _tensorflow_graphs._graphs.clear()
    networks = [_network(seed=seed) for seed in range(4)]
    with ThreadPoolExecutor(2) as pool:
        for ours, theirs in zip(pool.map(_learn, networks), expected, strict=True):
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
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
        _tensorflow_graphs, "_find_or_trace", lambda trace, network, *args: keys.append(args[0])
    )
    for network in (_network(seed=1), _network(seed=2), _network(seed=1, **changes)):
        _tensorflow_graphs.train_step(network)
    assert keys[0] == keys[1] != keys[2]


def test_few_graphs_are_kept(monkeypatch, traced):
    monkeypatch.setattr(_tensorflow_graphs, "_MAX_GRAPHS", 2)
    for n_mfcc in (10, 11, 12, 10):
        _learn(_network(n_mfcc=n_mfcc))
    assert len(_tensorflow_graphs._graphs) == 2
    assert traced.count("_trace_step") == 4
