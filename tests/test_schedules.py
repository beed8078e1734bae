"""Learning rates against values computed by hand."""

import math

import pytest

from skser.schedules import SCHEDULES, constant, cosine, step


@pytest.mark.parametrize(
    ("epoch", "steps"),
    [(0, 0), (59, 0), (60, 1), (79, 1), (80, 2), (99, 2), (100, 3), (280, 12), (299, 12)],
)
def test_step(epoch, steps):
    learning_rate = step(epoch, epochs=300, learning_rate=1e-4)
    assert learning_rate == pytest.approx(1e-4 * math.exp(-0.15) ** steps, rel=1e-12)


def test_step_ends_where_it_should():
    assert step(299, epochs=300, learning_rate=1.0) == pytest.approx(0.16529889)  # e^-1.8
    assert step(299, epochs=1000, learning_rate=1.0) == step(299, epochs=300, learning_rate=1.0)


@pytest.mark.parametrize(
    ("epoch", "share"),
    [
        (0, 0.1),  # ten epochs of warm-up
        (4, 0.5),
        (9, 1.0),
        (10, 1.0),
        (40, 0.75),  # a third of the ninety that remain: (1 + cos 60 degrees) / 2
        (55, 0.5),
        (70, 0.25),
        (99, 0.0003046),  # (1 + cos 178 degrees) / 2
    ],
)
def test_cosine(epoch, share):
    assert cosine(epoch, epochs=100, learning_rate=2.0) == pytest.approx(2 * share, rel=1e-3)


def test_cosine_rises_and_then_falls():
    rates = [cosine(epoch, epochs=50, learning_rate=1.0) for epoch in range(50)]
    assert rates[:5] == sorted(rates[:5])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert max(rates) == 1
    assert min(rates) > 0


@pytest.mark.parametrize("epochs", [1, 2, 9])
def test_cosine_of_few_epochs_has_no_warm_up(epochs):
    assert cosine(0, epochs=epochs, learning_rate=0.5) == 0.5


def test_constant():
    assert {constant(epoch, epochs=300, learning_rate=1e-3) for epoch in (0, 60, 299)} == {1e-3}


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_gives_a_float(name):
    # Keras refuses a learning rate that is no Python float.
    assert type(SCHEDULES[name](7, epochs=100, learning_rate=1e-3)) is float


def test_the_names():
    assert list(SCHEDULES) == ["step", "cosine", None]
