"""The network, to the paper's numbers."""

import keras
import numpy as np
import pytest

from skser._cost import build_for_counting
from skser._tensorflow import count_flops
from skser.network import PATHS, build_light_sernet


@pytest.fixture(scope="module")
def network():
    return build_light_sernet(7, seed=0)


def test_has_the_published_number_of_parameters(network):
    assert network.count_params() == 463_431


def test_float16_weights_take_the_published_size(network):
    assert 2 * network.count_params() / 2**20 == pytest.approx(0.88, abs=0.005)


@pytest.mark.parametrize(("n_frames", "mflops"), [(184, 322.07), (434, 760.40)])
def test_has_the_published_number_of_operations(n_frames, mflops):
    network = build_for_counting(7, n_frames, 40)
    assert count_flops(network) / 1e6 == pytest.approx(mflops, abs=0.005)


def build_plain_light_sernet():
    """Build the network as the paper draws it: each path with its own normalisation."""
    mfcc = keras.Input((None, 40))
    hidden = keras.layers.Reshape((-1, 40, 1))(mfcc)
    paths = [_plain_block(hidden, 32, size, (2, 2), use_bias=True) for size in PATHS.values()]
    hidden = keras.layers.Concatenate()(paths)
    for filters, pool in ((64, (2, 2)), (96, (2, 2)), (128, (2, 1)), (160, (2, 1))):
        hidden = _plain_block(hidden, filters, 3, pool)
    hidden = _plain_block(hidden, 320, 1, None)
    hidden = keras.layers.Dropout(0.3)(hidden)
    return keras.Model(mfcc, keras.layers.Dense(7, activation="softmax")(hidden))


def _plain_block(hidden, filters, kernel_size, pool_size, *, use_bias=False):
    convolution = keras.layers.Conv2D(filters, kernel_size, padding="same", use_bias=use_bias)
    hidden = keras.layers.BatchNormalization()(convolution(hidden))
    hidden = keras.layers.ReLU()(hidden)
    if pool_size is None:
        return keras.layers.GlobalAveragePooling2D()(hidden)
    return keras.layers.AveragePooling2D(pool_size, padding="same")(hidden)


def _copy_weights(network, plain):
    """Give the plain network the weights of ours, whose first normalisation is one for all."""
    by_name = {weight.path: weight.numpy() for weight in network.weights}
    convolutions = [f"body_1_{path}" for path in PATHS]
    normalisation = iter(plain_layers(plain, keras.layers.BatchNormalization))
    for index, layer in enumerate(plain_layers(plain, keras.layers.Conv2D)):
        name = convolutions[index] if index < 3 else f"body_2_{index - 2}"
        layer.set_weights([by_name[f"{name}/{v.path.split('/')[-1]}"] for v in layer.variables])
        channels = slice(32 * index, 32 * (index + 1)) if index < 3 else slice(None)
        source = "body_1" if index < 3 else name
        own = next(normalisation)
        own.set_weights(
            [
                by_name[f"{source}_normalization/{v.path.split('/')[-1]}"][channels]
                for v in own.variables
            ]
        )
    plain.layers[-1].set_weights(
        [by_name[f"emotion/{v.path.split('/')[-1]}"] for v in plain.layers[-1].variables]
    )


def plain_layers(network, kind):
    return [layer for layer in network.layers if type(layer) is kind]


def test_computes_what_the_drawn_network_computes(network):
    """One normalisation behind the concatenation, fused, equals three plain ones."""
    ours, plain = build_light_sernet(7, seed=0, dropout=0.0), build_plain_light_sernet()
    _copy_weights(ours, plain)
    plain.layers[-2].rate = 0.0
    generator = np.random.default_rng(0)
    mfcc = generator.normal(size=(8, 50, 40)).astype(np.float32)
    target = generator.integers(7, size=8)
    for model in (ours, plain):
        model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    for _ in range(5):  # the regulariser of ours is too small to be seen here
        loss = [float(np.squeeze(model.train_on_batch(mfcc, target))) for model in (ours, plain)]
        assert loss[0] == pytest.approx(loss[1], abs=2e-3)
    np.testing.assert_allclose(ours.predict_on_batch(mfcc), plain.predict_on_batch(mfcc), atol=2e-3)


@pytest.mark.parametrize("n_frames", [1, 7, 184, 434])
def test_takes_any_number_of_frames(network, n_frames):
    probabilities = network.predict_on_batch(np.zeros((2, n_frames, 40), np.float32))
    assert probabilities.shape == (2, 7)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    "paths", [("temporal",), ("spectral", "temporal"), ("spectro-temporal",), tuple(PATHS)]
)
def test_paths_share_the_same_number_of_filters(paths):
    network = build_light_sernet(7, paths=paths)
    filters = {
        layer.name: layer.filters
        for layer in plain_layers(network, keras.layers.Conv2D)
        if layer.name.startswith("body_1_")
    }
    assert set(filters) == {f"body_1_{path}" for path in paths}
    assert sum(filters.values()) == 96


def test_seed_fixes_the_weights():
    first, same, other = (build_light_sernet(3, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_bfloat16_rounds_what_float32_computes():
    plain, mixed = (
        build_light_sernet(7, dropout=0.0, precision=name) for name in ("float32", "bfloat16")
    )
    kernel, _ = plain.get_layer("emotion").variables
    kernel.assign(5 * kernel)  # so that an untrained network decides
    mixed.set_weights(plain.get_weights())
    generator = np.random.default_rng(0)
    mfcc = generator.normal(generator.normal(size=(8, 1, 40)), size=(8, 50, 40)).astype(np.float32)
    # the statistics of the batch, as an untrained network has none of its own
    expected, rounded = (np.asarray(model(mfcc, training=True)) for model in (plain, mixed))
    assert np.ptp(expected, axis=0).max() > 0.2
    assert 0 < np.abs(rounded - expected).max() < 2e-2
    assert rounded.dtype == np.float32


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_variables_and_head_are_float32(precision):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        network = build_light_sernet(7, precision=precision)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {weight.dtype for weight in network.weights} == {"float32"}
    assert {layer.compute_dtype for layer in network.layers[-2:]} == {"float32"}
    assert {layer.compute_dtype for layer in network.layers[1:-2]} == {precision}


def test_building_leaves_the_global_generator_alone():
    np.random.seed(0)  # noqa: NPY002 - the legacy generator is what must not move
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    build_light_sernet(3, seed=1)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_regularises_body_2_only(network):
    penalised = {
        layer.name
        for layer in plain_layers(network, keras.layers.Conv2D)
        if layer.kernel_regularizer is not None
    }
    assert penalised == {f"body_2_{block}" for block in range(1, 6)}
    kernel = network.get_layer("body_2_1").kernel
    assert float(network.get_layer("body_2_1").kernel_regularizer(kernel)) == pytest.approx(
        1e-6 * np.sum(kernel.numpy() ** 2), rel=1e-4
    )
