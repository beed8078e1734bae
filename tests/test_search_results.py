"""The table and the print of a search, and its files."""

import pandas as pd
import pytest
from standin import StandIn, assert_same

from skser import SearchResult, evaluate
from skser.exceptions import EvaluationError

NO_FAILURES = pd.DataFrame({"candidate": [], "seed": [], "fold": [], "reason": []}).astype(
    {"candidate": int, "seed": int, "fold": str, "reason": str}
)


@pytest.fixture(scope="module")
def poor(noise):
    return evaluate(StandIn(C=1e-4), noise)


@pytest.fixture
def result(whole, poor):
    """Four candidates: a poor one, two good ones that are equal, and one that failed."""
    params = [{"a__C": 1e-4}, {"a__C": 1.0, "b__n": 2}, {"a__C": 1.0, "b__n": None}, {"a__C": 9.0}]
    settings = {**whole.settings, "grid": [{"a__C": [0.0001]}, {"a__C": [1.0], "b__n": [2, None]}]}
    settings["grid"].append({"a__C": [9.0]})
    failures = pd.DataFrame(
        {"candidate": [4], "seed": [0], "fold": ["b"], "reason": ["OSError: no"]}
    )
    evaluations = [poor, whole, whole, None]
    return SearchResult(params, evaluations, failures.astype(NO_FAILURES.dtypes), settings)


def test_the_table_has_scores_and_ranks(result, whole, poor):
    table = result.results
    assert table.index.tolist() == [1, 2, 3, 4]
    assert table["param_b__n"].tolist() == [None, 2, None, None]
    assert table["rank"].tolist() == [3, 1, 1, 4]
    assert table.loc[1, "pooled_wa"] == poor.pooled["wa"]
    assert table.loc[2, "mean_test_f1_macro"] == whole.mean_over_speakers["f1_macro"]
    assert table.loc[2, "std_test_uar"] == pytest.approx(whole.per_speaker["uar"].std(ddof=0))
    assert table.loc[4, "pooled_uar":].isna().all()
    assert (result.best, result.best_params) == (2, {"a__C": 1.0, "b__n": 2})


def test_the_print_says_what_the_best_score_knows(result, whole):
    text = str(result)
    assert text.startswith("Corpus: noise: 36 utterances, 4 speakers, 3 emotions\nProtocol: leave-")
    lines = text.splitlines()
    (heading,) = [line for line in lines if line.startswith("candidate")]
    assert heading.split()[:5] == ["candidate", "C", "n", "UAR", "WA"]
    row = lines[lines.index(heading) + 1].split()
    assert row[:4] == ["2", "1.0", "2", f"{100 * whole.pooled['uar']:.2f}"]
    assert "(the best was chosen by these scores, so its own is optimistic):" in text
    assert "Failed: candidate 4, fold b, seed 0: OSError: no" in lines
    assert lines[-1].startswith(
        "Best is candidate 2: C=1.0, n=2. It was chosen by the speakers that"
    )
    assert f"UAR of {whole.pooled['uar']:.1%} is optimistic" in lines[-1]
    assert "evaluate(GridSearchCV(model, grid, cv=GroupKFold()), corpus)" in lines[-1]


def test_adaptation_takes_no_search_inside_and_none_is_advised(result):
    result.settings["protocol"] = {**result.settings["protocol"], "name": "speaker-adaptation"}
    assert str(result).endswith("evaluate the best one on speakers that the search has not heard.")


def test_a_protocol_that_knows_the_test_fold_says_so_first(result):
    result.settings["protocol"] = {**result.settings["protocol"], "caveat": "knows the test fold"}
    assert result.caveat.startswith("knows the test fold; the best was chosen by")


def test_what_is_saved_is_loaded(result, tmp_path):
    result.save(tmp_path / "new" / "folder")
    loaded = SearchResult.load(tmp_path / "new" / "folder")
    assert loaded.params == result.params
    assert loaded.settings == result.settings
    pd.testing.assert_frame_equal(loaded.results, result.results)
    pd.testing.assert_frame_equal(loaded.failures, result.failures)
    assert loaded.evaluations[3] is None
    assert_same(loaded.evaluations[0], result.evaluations[0])
    assert str(loaded) == str(result)
    written = pd.read_csv(tmp_path / "new" / "folder" / "results.csv", index_col="candidate")
    assert written["caveat"].unique().tolist() == [result.caveat]
    assert written["rank"].tolist() == [3, 1, 1, 4]


def test_a_search_in_which_nothing_failed_is_loaded(result, tmp_path):
    whole = SearchResult(result.params[:1], result.evaluations[:1], NO_FAILURES, result.settings)
    whole.settings["grid"] = [{"a__C": [0.0001]}]
    whole.save(tmp_path)
    pd.testing.assert_frame_equal(SearchResult.load(tmp_path).failures, NO_FAILURES)


def test_a_folder_without_a_finished_search_is_named(result, tmp_path, monkeypatch):
    def fail(*args):
        raise OSError("the disk is full")

    with pytest.raises(EvaluationError, match=f"The folder '{tmp_path}' holds no finished search"):
        SearchResult.load(tmp_path)
    monkeypatch.setattr("skser.search_results.replaced_file", fail)
    with pytest.raises(OSError, match="the disk is full"):
        result.save(tmp_path)
    with pytest.raises(EvaluationError, match="holds no finished search"):
        SearchResult.load(tmp_path)
