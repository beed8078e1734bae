"""The paper's experiments: which are run, what is printed of them, and where it is kept."""

import csv
import json
import re
import shutil
from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import skser
from skser import _cost, _paper, _reproduce_tables, cli, evaluation, reproduce
from skser.exceptions import IncompleteCorpusWarning
from skser.network import build_light_sernet
from skser.reproduce import TABLE_1_CELLS, Cell

EMODB = Cell("emodb", "", "cross_entropy", 3.0)
CAVEAT = "knows the test fold"
NAMES = ("uar", "wa", "f1_macro", "f1_weighted")


class FakeEvaluation:
    """Has what an Evaluation has, with scores that are easy to tell apart."""

    def __init__(self, settings):
        self.settings = settings
        published = settings["protocol"]["name"] == "published"
        self.caveat = CAVEAT if published else ""
        paths = settings["model"]["classifier__paths"]
        self._uar = (0.9 if published else 0.75) - (0.02 if len(paths) == 1 else 0)
        self.pooled = self._scores(self._uar)
        self.intervals = {name: (v - 0.05, v + 0.05) for name, v in self.pooled.items()}
        self.float16 = {"float16_mebibytes": 0.884}
        self.spread = dict.fromkeys(NAMES, 0.01)
        self.alternatives = pd.DataFrame(
            {"float16": self._scores(self._uar), "last_epoch": self._scores(self._uar - 0.04)}
        ).T

    def _scores(self, uar):
        return {name: uar + row / 1000 for row, name in enumerate(NAMES)}

    def save(self, folder):
        folder.mkdir(parents=True)
        (folder / "predictions.csv").touch()
        (folder / "fake.json").write_text(json.dumps(self.settings))

    @classmethod
    def load(cls, folder):
        return cls(json.loads((folder / "fake.json").read_text()))


def compare(first, second):
    differences = {name: first.pooled[name] - second.pooled[name] for name in NAMES}
    intervals = {name: (value - 0.03, value + 0.03) for name, value in differences.items()}
    return SimpleNamespace(differences=differences, intervals=intervals)


@pytest.fixture
def calls(monkeypatch):
    """Replace what trains, and return what it was called with."""
    made = []

    def evaluate(model, corpus, *, protocol, out, resume, seeds, n_jobs, n_threads, verbose):
        params = model.get_params()
        made.append((corpus, protocol, out, params))
        assert resume
        if (out / "predictions.csv").exists():
            return FakeEvaluation.load(out)
        wanted = ("paths", "epochs", "learning_rate", "batch_size", "precision")
        settings = {
            "protocol": {"name": protocol},
            "model": {f"classifier__{name}": params[f"classifier__{name}"] for name in wanted},
            "corpus": {"emotions": list("abcdefg"), "n_utterances": 535, "fingerprint": "f"},
            "seeds": list(seeds),
            "keras_backend": "tensorflow",
        }
        result = FakeEvaluation(settings)
        result.save(out)
        return result

    monkeypatch.setattr(evaluation, "evaluate", evaluate)
    monkeypatch.setattr(skser, "Evaluation", FakeEvaluation)
    monkeypatch.setattr(skser, "compare", compare, raising=False)
    monkeypatch.setattr(reproduce, "load_corpus", lambda name, subset, root: (name, subset, root))
    return made


@pytest.fixture
def run(tmp_path):
    """Run `skser reproduce` in a folder, and return its exit code and output."""

    def run(*args, out="--out"):
        folder = [out, str(tmp_path)] if out else []
        answer = CliRunner().invoke(cli.app, ["reproduce", *map(str, args), *folder])
        return SimpleNamespace(
            code=answer.exit_code, out=answer.stdout, error=answer.stderr, folder=tmp_path
        )

    return run


def line(text, start):
    """Return the one line that starts with given words, its blanks joined."""
    (found,) = [row for row in text.splitlines() if row.strip().startswith(start)]
    return " ".join(found.split())


# --- the paper's figures -----------------------------------------------------------------------


def test_table_1_has_all_experiments_of_the_paper():
    assert len(_paper.TABLE_1) == 10
    assert {(cell.duration, cell.subset) for cell in TABLE_1_CELLS if cell.corpus == "emodb"} == {
        (3.0, "")
    }
    assert EMODB.paper == (94.15, 94.21, 94.16)
    assert Cell("iemocap", "all", "focal", 7.0).paper == (70.76, 70.23, 70.20)


def test_experiments_have_folders_of_their_own():
    names = {cell.name for cell in TABLE_1_CELLS}
    names |= {cell.name for cell in reproduce.ablation_cells("emodb", 3.0)[1:]}
    assert len(names) == 13
    assert "iemocap-improvised-focal-7s" in names
    assert "emodb-cross_entropy-3s-temporal" in names


def test_ablation_shares_its_first_run_with_table_1():
    assert reproduce.ablation_cells("emodb", 3.0)[0] == EMODB
    assert reproduce.ablation_cells("iemocap", 7.0)[0] in TABLE_1_CELLS


# --- table 1 -----------------------------------------------------------------------------------


def test_nothing_is_run_without_a_corpus(calls, run):
    answer = run("table1")
    assert answer.code == 0, answer.error
    assert calls == []
    assert line(answer.out, "EMO-DB, cross-entropy") == (
        "EMO-DB, cross-entropy, 3 s UAR 94.15 not run not run"
    )
    assert CAVEAT not in answer.out
    assert CAVEAT not in (answer.folder / "table1.json").read_text()


def test_table_1_runs_each_loss_under_each_protocol(calls, run):
    answer = run("table1", "--corpus", "emodb", "--root", "here", "--epochs", 2, "--seeds", "3,4")
    assert answer.code == 0, answer.error
    made = {(out.relative_to(answer.folder).as_posix(), protocol) for _, protocol, out, _ in calls}
    assert made == {
        (f"emodb-{loss}-3s/{protocol}", protocol)
        for loss in ("cross_entropy", "focal")
        for protocol in ("published", "leave-one-speaker-out")
    }
    params = calls[0][3]
    assert params["classifier__epochs"] == 2
    assert params["classifier__learning_rate"] == 1e-4
    assert params["classifier__random_state"] == 3
    assert params["mfcc__duration"] == 3.0
    assert {str(corpus[2]) for corpus, *_ in calls} == {"here"}
    assert "EMO-DB, focal, 3 s: published" in answer.error


def test_table_1_prints_what_is_measured_beside_the_paper(calls, run):
    out = run("table1", "--corpus", "emodb", "--root", "here", "--loss", "cross_entropy").out
    assert re.search(rf"^ +paper +published +leave-one-speaker-out\n +\({CAVEAT}\)$", out, re.M)
    table, parts = out.split("From unseen speakers")
    ours = "94.15 90.00 75.00 [70.0, 80.0]"
    assert line(table, "EMO-DB, cross-entropy, 3 s") == f"EMO-DB, cross-entropy, 3 s UAR {ours}"
    assert line(table, "EMO-DB, focal, 3 s").endswith("not run not run")
    assert line(parts, "EMO-DB") == (
        "EMO-DB, cross-entropy, 3 s UAR 75.00 +11.00 +4.00 90.00 94.15"
    )
    assert line(parts, "F1") == "F1 75.30 +11.00 +4.00 90.30 94.16"
    settings = (
        "epochs 300, learning rate 0.0001, batch size 32, precision float32, seeds 0, "
        "utterances 535"
    )
    assert f"Runs with {settings}:" in out
    assert "  emodb-cross_entropy-3s/published\n" in out


@pytest.mark.parametrize("command", ["table1", "ablation"])
def test_the_precision_reaches_the_classifier_and_the_table(calls, run, command):
    where = ["--corpus", "emodb", "--root", "here", "--protocols", "published"]
    answer = run(command, *where, "--precision", "bfloat16")
    assert answer.code == 0, answer.error
    assert {params["classifier__precision"] for *_, params in calls} == {"bfloat16"}
    assert "precision bfloat16, seeds 0, utterances 535:" in answer.out


def test_runs_that_know_no_precision_are_read(calls, run):
    where = ["--corpus", "emodb", "--root", "here", "--loss", "focal"]
    folder = run("table1", *where).folder
    for path in folder.glob("*/*/fake.json"):
        settings = json.loads(path.read_text())
        del settings["model"]["classifier__precision"]
        path.write_text(json.dumps(settings))
    assert "batch size 32, seeds 0, utterances 535:" in run("table1").out


def test_runs_with_other_settings_are_not_taken_apart(calls, run):
    where = ["--corpus", "emodb", "--root", "here", "--loss", "focal", "--protocols"]
    run("table1", *where, "published")
    answer = run("table1", *where, "leave-one-speaker-out", "--recipe", "short")
    assert answer.code == 0, answer.error
    assert "Not taken apart, since the two runs have other settings: EMO-DB, focal" in answer.out
    assert "speakers mixed" not in answer.out


def test_table_1_goes_on_with_what_is_left(calls, run):
    first = ["--protocols", "leave-one-speaker-out", "--loss", "focal"]
    before = run("table1", "--corpus", "emodb", "--root", "here", *first)
    assert CAVEAT not in before.out
    calls.clear()
    iemocap = ["--corpus", "iemocap", "--root", "there", "--duration", "7", "--subset", "all"]
    after = run("table1", *iemocap, "--protocols", "published", "--loss", "focal")
    assert [(corpus[:2], protocol) for corpus, protocol, *_ in calls] == [
        (("iemocap", "all"), "published")
    ]
    assert line(after.out, "EMO-DB, focal") == (
        "EMO-DB, focal, 3 s UAR 92.88 not run 75.00 [70.0, 80.0]"
    )
    assert line(after.out, "IEMOCAP (scripted+improvised), focal, 7 s") == (
        "IEMOCAP (scripted+improvised), focal, 7 s UAR 70.76 90.00 not run"
    )
    assert "From unseen speakers" not in after.out  # no experiment has both


def test_two_corpora_in_one_call_are_read_once_each(calls, run):
    both = ["--corpus", "iemocap", "--root", "there", "--corpus", "emodb", "--root", "here"]
    run("table1", *both, "--subset", "improvised")
    assert len(calls) == 12
    assert {(name, str(root)) for (name, _, root), *_ in calls} == {
        ("iemocap", "there"),
        ("emodb", "here"),
    }
    assert len({id(corpus) for corpus, *_ in calls}) == 2


def test_another_protocol_has_a_column_of_its_own(calls, run):
    where = ["--corpus", "emodb", "--root", "here", "--loss", "focal"]
    out = run("table1", *where, "--protocols", "speaker-groups").out
    assert line(out, "paper").endswith("published leave-one-speaker-out speaker-groups")
    assert line(out, "EMO-DB, focal").endswith("92.88 not run not run 75.00 [70.0, 80.0]")


def test_a_run_that_did_not_end_is_not_run(calls, run, tmp_path):
    (tmp_path / EMODB.name / "published" / "folds").mkdir(parents=True)
    assert line(run("table1").out, "EMO-DB, cross-entropy").endswith("not run not run")


def test_files_hold_figures_and_settings(calls, run):
    folder = run("table1", "--corpus", "emodb", "--root", "here", "--loss", "focal").folder
    with (folder / "table1.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["experiment"] == "emodb-focal-3s"]
    paper, published, honest = rows
    assert (paper["source"], paper["note"], paper["uar"]) == ("paper", "as published", "92.88")
    assert (published["source"], published["note"]) == ("published", CAVEAT)
    assert float(published["uar"]) == pytest.approx(90)
    assert float(published["uar_last_epoch"]) == pytest.approx(86)
    assert (honest["note"], honest["seeds"], honest["epochs"]) == ("", "0", "300")
    assert float(honest["uar_low"]) == pytest.approx(70)
    content = json.loads((folder / "table1.json").read_text())
    assert content["settings"]["emodb-focal-3s/published"]["protocol"]["name"] == "published"
    (parts,) = content["decomposition"]
    assert parts["note"] == CAVEAT
    assert parts["speakers"]["wa"] == pytest.approx(11)


def test_several_seeds_have_their_spread(calls, run):
    where = ["--corpus", "emodb", "--root", "here", "--loss", "focal"]
    folder = run("table1", *where, "--seeds", "0,1").folder
    rows = json.loads((folder / "table1.json").read_text())["rows"]
    (honest,) = [
        row
        for row in rows
        if (row["experiment"], row["source"]) == ("emodb-focal-3s", "leave-one-speaker-out")
    ]
    assert honest["seeds"] == "0 1"
    assert honest["uar_sd_of_seeds"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--corpus", "emodb"], "Each --corpus needs one --root"),
        (["--root", "here"], "Each --corpus needs one --root"),
        (["--loss", "hinge"], "Got 'hinge'; give some of cross_entropy, focal"),
        (
            ["--corpus", "emodb", "--root", "here", "--duration", "7"],
            "Table 1 has no experiment with these options",
        ),
        (["--duration", "5"], "Got '5'; give some of 3, 7"),
        (["--protocols", "published,none"], "Got 'none'; give some of leave-one-speaker-out"),
        (["--seeds", "0,x"], "Got '0,x'; give different whole numbers from 0 on"),
        (["--corpus", "synthetic", "--root", "here"], "Invalid value for '--corpus'"),
    ],
)
def test_wrong_usage_ends_with_2(calls, run, args, message):
    answer = run("table1", *args)
    assert answer.code == 2
    assert message in " ".join(re.sub(r"[─-╿]", " ", answer.error).split())
    assert [*calls, *answer.folder.iterdir()] == []


# --- with nothing replaced -----------------------------------------------------------------------


@pytest.fixture
def miniature(emodb_root, tmp_path):
    """Three recordings of each of two speakers of EMO-DB in each of two emotions."""
    wav = tmp_path / "emodb" / "wav"
    wav.mkdir(parents=True)
    for speaker, emotion in product(("03", "08"), "WL"):
        for recording in sorted((emodb_root / "wav").glob(f"{speaker}???{emotion}?.wav"))[:3]:
            shutil.copy(recording, wav)
    return wav.parent


def test_table_1_is_reproduced_on_real_recordings(miniature, tmp_path):
    out = tmp_path / "runs"
    command = ["reproduce", "table1", "--corpus", "emodb", "--root", miniature, "--out", out]
    command += ["--loss", "cross_entropy", "--epochs", "1", "--precision", "float32"]

    def run():
        with pytest.warns(IncompleteCorpusWarning, match="523 of the 535 official recordings"):
            answer = CliRunner().invoke(cli.app, [*map(str, command)])
        assert answer.exit_code == 0, answer.stderr
        return answer

    first = run()
    folds = {path: path.stat().st_mtime_ns for path in out.rglob("folds/seed-0/*.json")}
    assert len(folds) == 4
    assert first.stderr.count("2 folds to train: about") == 2
    again = run()
    assert again.stdout == first.stdout
    assert "folds to train" not in again.stderr
    assert {path: path.stat().st_mtime_ns for path in folds} == folds

    published, honest = (skser.Evaluation.load(out / EMODB.name / p) for p in reproduce.PROTOCOLS)
    table, parts = first.stdout.split("From unseen speakers")
    check_table(table, published, honest)
    check_decomposition(parts, published, honest)
    texts = {p.relative_to(out): p.read_text() for p in out.rglob("*") if p.is_file()}
    assert len(texts) == 2 + 2 * (5 + 2)
    for path, text in texts.items():
        assert (CAVEAT in text) == ("leave-one-speaker-out" not in path.parts), path


def check_table(table, published, honest):
    assert re.search(rf"^ +paper +published +leave-one-speaker-out\n +\({CAVEAT}\)$", table, re.M)
    low, high = honest.intervals["uar"]
    assert line(table, str(EMODB)) == (
        f"{EMODB} UAR 94.15 {100 * published.pooled['uar']:.2f} "
        f"{100 * honest.pooled['uar']:.2f} [{100 * low:.1f}, {100 * high:.1f}]"
    )


def check_decomposition(parts, published, honest):
    middle = published.alternatives.loc["last_epoch"]
    heading = ["leave-one-speaker-out", "+ speakers mixed", "+ epoch chosen on", "= published"]
    columns = re.split("  +", parts.splitlines()[2].strip())
    assert columns == [*heading, "paper"]
    assert f"({CAVEAT})" in parts.splitlines()[3]
    start, speakers, epoch, end = (
        100 * honest.pooled["uar"],
        100 * (middle["uar"] - honest.pooled["uar"]),
        100 * (published.pooled["uar"] - middle["uar"]),
        100 * published.pooled["uar"],
    )
    assert line(parts, str(EMODB)) == (
        f"{EMODB} UAR {start:.2f} {speakers:+.2f} {epoch:+.2f} {end:.2f} 94.15"
    )
    assert start + speakers + epoch == pytest.approx(end)
    settings = (
        "epochs 1, learning rate 0.0001, batch size 32, precision float32, seeds 0, utterances 12"
    )
    assert f"Runs with {settings}:" in parts


# --- the other tables ----------------------------------------------------------------------------


def test_ablation_compares_all_paths_with_each_alone(calls, run):
    answer = run("ablation", "--corpus", "emodb", "--root", "here")
    assert answer.code == 0, answer.error
    assert [params["classifier__paths"] for *_, params in calls][::2] == [
        tuple(reproduce.PATHS),
        ("temporal",),
        ("spectral",),
        ("spectro-temporal",),
    ]
    emodb, iemocap = answer.out.split("\n\n\n")[:2]
    blocks = emodb.split("\n\n")
    assert "EMO-DB, cross-entropy, 3 s" in blocks[0]
    assert line(blocks[1], "published") == f"published ({CAVEAT}) UAR WA F1"
    assert line(blocks[2], "leave-one") == "leave-one-speaker-out UAR WA F1"
    assert line(blocks[2], "all three") == "all three 75.00 75.10 75.30"
    assert line(blocks[1], "gain over spectral") == "gain over spectral +2.00 +2.00 +2.00"
    gain = "+2.00 [-1.0, 5.0]"
    assert line(blocks[2], "gain over spectral") == f"gain over spectral {gain} {gain} {gain}"
    assert line(blocks[2], "mean gain") == "mean gain +2.00 +2.00 +2.00"
    assert line(blocks[2], "gain in the paper") == "gain in the paper +1.35 +1.86 +1.57"
    assert "temporal not run not run not run" in " ".join(iemocap.split())
    assert CAVEAT not in iemocap
    assert (answer.folder / "ablation.json").exists()


def test_ablation_takes_the_run_of_table_1(calls, run):
    where = ["--corpus", "emodb", "--root", "here", "--protocols", "published"]
    run("table1", *where, "--loss", "cross_entropy")
    run("ablation", *where)
    (_, _, before, first), (_, _, after, second), *_ = calls
    assert before == after
    assert str(first) == str(second)


@pytest.mark.parametrize(
    ("table", "method", "command"),
    [
        (2, "Zhong (2020) 0.90 71.72 70.39 70.85 as published", "--subset all --loss focal"),
        (3, "Yenigalla (2018) 7.20 61.60 71.30 - as published", "--subset improvised"),
        (4, "Chen (2018) 323.00 82.82 - - as published", "--corpus emodb --root FOLDER --loss"),
    ],
)
def test_tables_of_methods_say_how_to_run_ours(calls, run, tmp_path, table, method, command):
    answer = run(f"table{table}", tmp_path, out=None)
    assert line(answer.out, method.split(")")[0]) == method
    assert line(answer.out, "LIGHT-SERNET, skser") == "LIGHT-SERNET, skser not run"
    assert "To run it: skser reproduce table1" in answer.out
    assert command in answer.out


def test_table_4_has_our_figures_under_each_protocol(calls, run, tmp_path):
    run("table1", "--corpus", "emodb", "--root", "here")
    out = run("table4", tmp_path, out=None).out
    first, second = [row for row in out.splitlines() if row.startswith("LIGHT-SERNET, skser")]
    assert " ".join(first.split()) == (
        f"LIGHT-SERNET, skser 0.88 90.00 90.10 90.30 published ({CAVEAT})"
    )
    assert second.endswith("leave-one-speaker-out")
    assert "75.00 [70.0, 80.0]" in second
    assert "To run it" not in out


# --- compute -------------------------------------------------------------------------------------


def test_compute_meets_the_paper(run):
    answer = run("compute", out=None)
    assert answer.code == 0, answer.error
    assert line(answer.out, "parameters") == "parameters 463431 - 463431 -"
    assert line(answer.out, "size") == "size in float16 (MiB) 0.884 0.88 0.884 0.88"
    assert line(answer.out, "operations") == "operations (MFLOP) 322.07 322 760.40 760"
    assert line(answer.out, "peak memory, each").endswith("(KiB) 1610.0 1610 3797.5 3797")
    assert line(answer.out, "184 frames") == "184 frames 434 frames"


def test_peak_memory_counts_what_is_needed_at_a_time():
    import keras

    image = keras.Input((4, 4, 1), batch_size=1)  # 16 values
    wide = keras.layers.ReLU()(keras.layers.Conv2D(8, 1)(image))  # 128, in place
    small = keras.layers.AveragePooling2D(4)(wide)  # 8
    other = keras.layers.Conv2D(4, 1)(image)  # 64
    pooled = keras.layers.GlobalAveragePooling2D(keepdims=True)(other)
    joined = keras.layers.Dense(1)(keras.layers.Concatenate()([small, pooled]))
    # The pooling needs its 128 and 8 values, and the image's 16 for the second convolution.
    assert _cost.peak_memory(keras.Model(image, joined)) == 4 * (128 + 8 + 16)


def test_both_graphs_for_counting_are_the_network():
    trained, drawn = (
        _cost.build_for_counting(7, 20, 40, pool_each_path=pool) for pool in (False, True)
    )
    assert trained.count_params() == drawn.count_params() == build_light_sernet(7).count_params()
    shared = {weight.path: weight for weight in trained.weights}
    for weight in drawn.weights:
        if weight.path in shared:
            weight.assign(shared[weight.path])
    mfcc = np.random.default_rng(0).normal(size=(1, 20, 40)).astype(np.float32)
    # Initial normalisations are the same, so the graphs compute the same.
    np.testing.assert_allclose(trained(mfcc), drawn(mfcc), atol=1e-6)


def test_methods_are_as_the_paper_prints_them():
    assert _reproduce_tables.cell_of(2).paper == _paper.TABLE_2[-1].scores
    assert _reproduce_tables.cell_of(3).paper == _paper.TABLE_3[-1].scores
    assert _reproduce_tables.cell_of(4).paper == _paper.TABLE_4[-1].scores
