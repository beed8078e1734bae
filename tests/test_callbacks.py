"""Progress bars, also of a fit that stops before its last epoch."""

import pytest

from skser.callbacks import FoldBar, epoch_bar, listen_to_epochs, report_epoch, show_estimate

LOGS = {"loss": 1.25}


@pytest.fixture
def bars(monkeypatch):
    """Return the bars that are made."""
    from skser import callbacks

    made, make = [], callbacks._make_bar

    def make_and_keep(what):
        made.append(make(what))
        return made[-1]

    monkeypatch.setattr(callbacks, "_make_bar", make_and_keep)
    return made


def test_nobody_hears_of_epochs_by_default():
    report_epoch(1, 2, LOGS)


def test_listener_hears_of_epochs_inside_the_block_only():
    heard = []
    with listen_to_epochs(lambda *epoch: heard.append(epoch)):
        report_epoch(1, 2, LOGS)
    report_epoch(2, 2, LOGS)
    assert heard == [(1, 2, LOGS)]


@pytest.mark.parametrize("n_epochs", [3, 5])
def test_epoch_bar_ends_full_where_the_fit_ends(bars, capsys, n_epochs):
    with epoch_bar(5):
        for epoch in range(1, n_epochs + 1):
            report_epoch(epoch, 5, LOGS)
            assert bars[0].tasks[0].total == 5
    task = bars[0].tasks[0]
    assert task.finished
    assert (task.completed, task.total) == (n_epochs, n_epochs)
    assert f"{n_epochs}.0/{n_epochs}" in capsys.readouterr().err


def test_epoch_bar_of_a_fit_that_fails_stays_where_it_was(bars):
    def diverge():
        with epoch_bar(5):
            report_epoch(2, 5, LOGS)
            raise ValueError("diverged")

    with pytest.raises(ValueError, match="diverged"):
        diverge()
    assert (bars[0].tasks[0].completed, bars[0].tasks[0].total) == (2, 5)


def test_epoch_bar_passes_epochs_on():
    heard = []
    with listen_to_epochs(lambda *epoch: heard.append(epoch)), epoch_bar(2):
        report_epoch(1, 2, LOGS)
    assert heard == [(1, 2, LOGS)]


def test_fold_bar_moves_to_the_next_fold_when_a_fit_stops_early(bars):
    with FoldBar(3, 1) as folds:
        task = bars[0].tasks[0]
        assert (task.completed, task.total) == (1, 3)
        folds.show_epoch(0, 1, 4, LOGS)
        assert task.completed == 1.25
        folds.end_fold(0)
        assert task.completed == 2
        folds.show_epoch(1, 4, 4, LOGS)
        assert not task.finished  # it has yet to predict
        folds.end_fold(1)
    assert task.finished
    assert task.description == "epoch 4/4, loss 1.250"


def test_fold_bar_adds_folds_that_run_side_by_side(bars):
    with FoldBar(2, labels=["fold a", "fold b"]) as folds:
        folds.show_epoch(1, 1, 4, LOGS)
        folds.show_epoch(0, 2, 4, LOGS)
        task = bars[0].tasks[0]
        assert task.completed == 0.75
        assert task.description == "fold a, epoch 2/4, loss 1.250"
        folds.end_fold(1)
        folds.show_epoch(1, 4, 4, LOGS)  # another process' word that comes late
        assert task.completed == 1.5


def test_without_a_terminal_each_fold_has_a_line(capsys):
    with FoldBar(3, 1, ["fold a", "fold b"]) as folds:
        folds.end_fold(1)
        assert "fold b finished, 2 of 3\n" in capsys.readouterr().err
        folds.show_epoch(0, 2, 4, LOGS)
        folds.end_fold(0, failed=True)
        assert "fold a failed, 3 of 3\n" in capsys.readouterr().err


def test_the_time_left_is_known_however_long_a_fold_takes(bars, monkeypatch):
    with FoldBar(4) as folds:
        time = [0.0]
        monkeypatch.setattr(bars[0], "get_time", lambda: time[0])
        task = bars[0].tasks[0]
        task._get_time = bars[0].get_time
        for index in range(2):
            time[0] += 1000
            folds.end_fold(index)
        assert task.time_remaining == 2000


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (12.3, "2 folds to train: about 12 s in all.\n"),
        (600, "2 folds to train: about 10 min in all.\n"),
    ],
)
def test_estimate_is_printed(capsys, seconds, text):
    show_estimate(2, seconds)
    assert capsys.readouterr().err == text
