"""The folder of features: what it gives back, what it refuses, and what it removes."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from skser._feature_store import FeatureStore
from skser.exceptions import CacheError

KEY, OTHER = b"\x01" * 32, b"\x02" * 32
FEATURES = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
ENTRY_BYTES = 64 + FEATURES.nbytes


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "cache")


def entries(store):
    return sorted(path for path in (store.folder / "entries").rglob("*") if path.is_file())


def age(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


# --- what it gives back ----------------------------------------------------------------------


def test_it_gives_back_what_was_written(store):
    assert store.read(KEY) is None
    store.write(KEY, FEATURES)
    features = FeatureStore(store.folder).read(KEY)
    np.testing.assert_array_equal(features, FEATURES)
    assert features.dtype == np.float32
    assert features.flags.writeable
    assert store.read(OTHER) is None


def test_a_name_stands_for_a_key(store):
    assert store.find(OTHER) is None
    store.link(OTHER, KEY)
    assert store.find(OTHER) == KEY


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:40],
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: b"RIFF" + content[4:],
        lambda content: content[:8] + b"\xff" * 16 + content[24:],
    ],
)
def test_a_damaged_entry_is_none(store, damage):
    store.write(KEY, FEATURES)
    (path,) = entries(store)
    path.write_bytes(damage(path.read_bytes()))
    assert store.read(KEY) is None
    store.write(KEY, FEATURES)
    np.testing.assert_array_equal(store.read(KEY), FEATURES)


def test_an_entry_under_another_name_is_none(store):
    store.write(KEY, FEATURES)
    store.write(OTHER, FEATURES)
    one, other = entries(store)
    other.write_bytes(one.read_bytes())
    assert store.read(OTHER) is None


def test_a_damaged_name_is_none(store):
    store.link(OTHER, KEY)
    store._path("names", OTHER).write_bytes(KEY[:9])
    assert store.find(OTHER) is None


def test_an_array_is_mapped(store):
    assert store.map_array(KEY, (2, 5, 4)) is None
    with store.new_array((2, 5, 4)) as file:
        file[1] = file[0] = FEATURES
        mapped = store.keep_array(file, KEY)
    assert isinstance(mapped, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        mapped[0] = 0
    np.testing.assert_array_equal(store.map_array(KEY, (2, 5, 4)), [FEATURES] * 2)
    assert store.map_array(KEY, (3, 5, 4)) is None
    os.truncate(store._path("arrays", KEY), 100)
    assert store.map_array(KEY, (2, 5, 4)) is None


def test_an_array_that_fails_leaves_nothing(store):
    with pytest.raises(ZeroDivisionError), store.new_array((2, 5, 4)) as file:  # noqa: PT012 - what fails is the block
        file[0] = FEATURES
        1 / 0  # noqa: B018 - fails
    assert store.measure()[0] == {"entries": 0, "names": 0, "arrays": 0}
    assert [path for path in (store.folder / "arrays").rglob("*") if path.is_file()] == []


def test_threads_write_side_by_side(store):
    keys = [bytes([n]) * 32 for n in range(40)] * 3
    with store, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.write(key, FEATURES + key[0]), keys))
    for key in keys:
        np.testing.assert_array_equal(store.read(key), FEATURES + key[0])
    assert store.measure()[0]["entries"] == 40


def test_a_writer_that_is_killed_leaves_whole_entries_alone(store):
    script = (
        "import sys, numpy as np\nfrom skser._feature_store import FeatureStore\n"
        "store = FeatureStore(sys.argv[1])\n"
        "for n in range(10**9):\n"
        "    store.write(n.to_bytes(32, 'little'), np.full((50, 40), n, np.float32))\n"
        "    print(n, flush=True)\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(store.folder)], stdout=subprocess.PIPE, text=True
    )
    while writer.stdout.readline() != "20\n":
        pass
    writer.kill()
    said = writer.communicate()[0].split()
    last = int(said[-1]) if said else 20
    for n in range(last + 2):
        features = store.read(n.to_bytes(32, "little"))
        if n <= last or features is not None:
            np.testing.assert_array_equal(features, np.full((50, 40), n, np.float32))


# --- its limit -------------------------------------------------------------------------------


def test_what_was_unused_for_longest_is_removed(tmp_path):
    with FeatureStore(tmp_path, max_bytes=8 * ENTRY_BYTES) as store:
        for n in range(8):
            store.write(bytes([n]) * 32, FEATURES)
    for n, path in enumerate(entries(store)):
        age(path, 1000 - n)
    store.read(bytes(32))  # the oldest is used
    with store:
        store.write(bytes([8]) * 32, FEATURES)
    kept = [n for n in range(9) if store.read(bytes([n]) * 32) is not None]
    assert kept == [0, 3, 4, 5, 6, 7, 8]
    assert store.read_counts()["n_bytes"] == 7 * ENTRY_BYTES == sum(store.measure()[1].values())


def test_the_limit_holds_for_all_writers_together(tmp_path):
    limit = 30 * ENTRY_BYTES
    stores = [FeatureStore(tmp_path, max_bytes=limit) for _ in range(3)]
    for n in range(120):
        stores[n % 3].write(bytes([n]) * 32, FEATURES)
        assert sum(stores[0].measure()[1].values()) <= limit + 3 * limit // 64 + 3 * ENTRY_BYTES
    assert stores[0].read(bytes([119]) * 32) is not None


def test_a_lost_ledger_is_counted_anew(tmp_path):
    with FeatureStore(tmp_path) as store:
        store.write(KEY, FEATURES)
    (tmp_path / "ledger.json").write_text("{")
    with store:
        store.write(OTHER, FEATURES)
    assert store.read_counts()["n_bytes"] == 2 * ENTRY_BYTES


def test_an_array_that_does_not_fit_is_refused(tmp_path):
    store = FeatureStore(tmp_path, max_bytes=1000)
    message = r"The features of 7 utterances take 560 bytes, more than half of the 1,000 that"
    with pytest.raises(CacheError, match=message), store.new_array((7, 5, 4)):
        pass
    with store.new_array((6, 5, 4)):
        pass


def test_temporary_files_of_killed_writers_are_removed_when_they_are_old(store):
    store.write(KEY, FEATURES)
    young, old = (entries(store)[0].with_name(name) for name in (".young.1.a", ".old.1.a"))
    for path in (young, old):
        path.write_bytes(b"half")
    age(old, 2 * 3600)
    store.clear()
    assert young.exists()
    assert not old.exists()
    assert store.read(KEY) is None


# --- what it refuses -------------------------------------------------------------------------


def test_only_an_empty_or_new_folder_becomes_a_cache(tmp_path):
    FeatureStore(tmp_path / "new" / "folder")
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / ".DS_Store").touch()
    FeatureStore(tmp_path / "hidden")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.tex").touch()
    with pytest.raises(CacheError, match=r"The folder '.*used' is no feature cache; give one"):
        FeatureStore(tmp_path / "used")
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["thesis.tex"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match=r"The cache folder '.*file' cannot be read: Not a dir"):
        FeatureStore(tmp_path / "file")


def test_without_create_none_is_made(tmp_path):
    with pytest.raises(CacheError, match="is no feature cache"):
        FeatureStore(tmp_path / "none", create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"format_version": 2}, "has format 2, and this skser has format 1; delete it, or give"),
        ({"format": "other"}, "has format 1, and this skser"),
        ({"max_bytes": "all"}, "has format 1, and this skser"),
        (None, r"The file '.*skser-cache.json', .* cannot be read or is damaged"),
        ([], r"The file '.*skser-cache.json', .* cannot be read or is damaged"),
    ],
)
def test_a_cache_of_another_kind_is_left_alone(store, settings, message):
    store.write(KEY, FEATURES)
    path = store.folder / "skser-cache.json"
    if isinstance(settings, dict):
        settings = json.loads(path.read_text()) | settings
    path.write_text("{" if settings is None else json.dumps(settings))
    before = path.read_text(), [entry.read_bytes() for entry in entries(store)]
    with pytest.raises(CacheError, match=message):
        FeatureStore(store.folder)
    assert (path.read_text(), [entry.read_bytes() for entry in entries(store)]) == before


def test_a_limit_is_kept(tmp_path):
    FeatureStore(tmp_path, max_bytes=10**6)
    assert FeatureStore(tmp_path).max_bytes == 10**6
    assert FeatureStore(tmp_path, max_bytes=10**7).max_bytes == 10**7
    assert FeatureStore(tmp_path).max_bytes == 10**7


# --- a folder that cannot be written to ------------------------------------------------------


def test_a_write_that_breaks_off_is_named_and_leaves_nothing(store):
    """The system refuses files beyond 4 kB, as it refuses all of them on a full disk."""
    store.write(KEY, FEATURES)
    script = (
        "import resource, sys, numpy as np\nfrom skser._feature_store import FeatureStore\n"
        "store = FeatureStore(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "store.write(b'x' * 32, np.ones((50, 40), np.float32))\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, str(store.folder)], capture_output=True, text=True
    )
    message = f"CacheError: The cache folder '{store.folder}' cannot be written to: File too large"
    assert message in answer.stderr
    assert [path.name for path in store.folder.rglob(".*")] == []
    assert store.read(b"x" * 32) is None
    np.testing.assert_array_equal(store.read(KEY), FEATURES)


def test_a_folder_that_is_read_only_can_be_read(store, monkeypatch):
    with store:
        store.write(KEY, FEATURES)
    age(*entries(store), 1000)

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    for name in ("os.utime", "pathlib.Path.mkdir", "pathlib.Path.write_bytes"):
        monkeypatch.setattr(name, refuse)
    with FeatureStore(store.folder) as again:
        np.testing.assert_array_equal(again.read(KEY), FEATURES)
        again.count(hits=1)
        message = rf"'{store.folder}' cannot be written to: Permission denied; free space there"
        with pytest.raises(CacheError, match=message):
            again.write(OTHER, FEATURES)
        with pytest.raises(CacheError, match=message), again.locked("entries", KEY, wait=True):
            pass
