"""Word of the epochs that other processes fit."""

import time
from threading import Event

import pytest

from skser._epoch_relay import relayed_epochs, write_epochs

LOGS = {"loss": 1.25}


def test_what_workers_write_is_heard_once():
    heard, two = [], Event()

    def listen(*epoch):
        heard.append(epoch)
        if len(heard) == 2:
            two.set()

    with relayed_epochs(listen) as folder:
        write_epochs(folder, 0)(1, 2, LOGS)
        write_epochs(folder, 11)(3, 4, LOGS)
        assert two.wait(timeout=60)
        time.sleep(1.5)  # the files are looked at again
    assert sorted(heard) == [(0, 1, 2, LOGS), (11, 3, 4, LOGS)]


def test_half_a_file_is_not_heard():
    heard, one = [], Event()

    def listen(*epoch):
        heard.append(epoch)
        one.set()

    with relayed_epochs(listen) as folder:
        (folder / "0").write_text("[1, 2, {")
        write_epochs(folder, 1)(2, 2, LOGS)
        assert one.wait(timeout=60)
    assert heard == [(1, 2, 2, LOGS)]


def test_nothing_is_left_and_a_late_worker_does_not_mind():
    with pytest.raises(KeyboardInterrupt), relayed_epochs(print) as folder:
        raise KeyboardInterrupt
    assert not folder.exists()
    write_epochs(folder, 0)(1, 2, LOGS)
    assert not folder.exists()
