"""The lock between processes and threads."""

import subprocess
import sys

import pytest

from skser._file_lock import locked_file

pytest.importorskip("fcntl", reason="this system has no locks that end with a process")


def test_a_lock_that_is_taken_is_not_given_twice(tmp_path):
    path = tmp_path / "lock"
    with (
        locked_file(path, wait=False),
        pytest.raises(BlockingIOError, match=r"unavailable"),
        locked_file(path, wait=False),
    ):
        pass
    with locked_file(path, wait=False):
        pass


def test_a_process_that_is_killed_gives_its_lock_back(tmp_path):
    path = tmp_path / "lock"
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom skser._file_lock import locked_file\n"
        "with locked_file(Path(sys.argv[1]), wait=True):\n"
        "    print('held', flush=True)\n    time.sleep(600)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(BlockingIOError, match="unavailable"), locked_file(path, wait=False):
        pass
    holder.kill()
    holder.communicate()
    with locked_file(path, wait=False):
        pass


def test_a_folder_without_locks_locks_nothing(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError("no locks here")

    monkeypatch.setattr("fcntl.flock", refuse)
    with locked_file(tmp_path / "lock", wait=False), locked_file(tmp_path / "lock", wait=False):
        pass
