"""`skser cache` as a user meets it."""

import numpy as np
import pytest
from typer.testing import CliRunner

from skser import MFCCTransformer, cli
from skser.cache import describe_cache
from skser.exceptions import CacheError


@pytest.fixture
def folder(tmp_path):
    transformer = MFCCTransformer(cache=tmp_path / "cache")
    for _ in range(3):
        transformer.transform(np.random.default_rng(0).normal(size=(2, 3000)))
    return tmp_path / "cache"


def run(*args, **options):
    return CliRunner().invoke(cli.app, ["cache", *map(str, args)], **options)


def test_info_prints_what_there_is(folder):
    result = run("info", folder)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "Utterances  2, once for each setting of the features",
        "Arrays      0 mapped",
        "Size        0.1 MB of at most 21,474.8 MB",
        "Hits        4 utterances found",
        "Misses      2 utterances computed",
        "Format      1",
    ]


def test_clear_asks(folder):
    result = run("clear", folder, input="n\n")
    assert result.exit_code == 1
    assert f"Remove 2 utterances (0.1 MB) from {folder}?" in result.output
    assert describe_cache(folder).n_entries == 2
    assert run("clear", folder, input="y\n").exit_code == 0
    assert describe_cache(folder).n_entries == 0


def test_clear_does_not_ask_if_told_so(folder):
    result = run("clear", folder, "--yes")
    assert result.stdout == f"Removed 2 utterances (0.1 MB) from {folder}\n"
    assert describe_cache(folder).n_entries == 0


def test_limit_sets_the_size(folder, tmp_path):
    for where in (folder, tmp_path / "new"):
        assert run("limit", where, 0.5).stdout == f"{where} may take 500.0 MB\n"
        assert describe_cache(where).max_bytes == 5 * 10**8


@pytest.mark.parametrize("command", [["info"], ["clear", "--yes"]])
def test_a_folder_that_is_no_cache_is_refused(tmp_path, command):
    (tmp_path / "thesis.tex").touch()
    result = run(*command, tmp_path)
    assert isinstance(result.exception, CacheError)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
