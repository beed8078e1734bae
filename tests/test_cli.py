"""The command line as a user meets it: what it prints, what it writes and how it ends."""

import json
import os
import re
import subprocess
import sys
import warnings
from importlib.util import find_spec

import numpy as np
import pytest
from typer.testing import CliRunner

import skser
from skser import Evaluation, _runs, cli, evaluation
from skser.exceptions import SilentAudioWarning

CAVEAT = "knows the test fold"
TINY = ["--speakers", "2", "--epochs", "1", "--duration", "0.25", "--batch-size", "16"]


def plain(text):
    """Take colours, boxes and line breaks out of what was printed."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return " ".join(re.sub(r"[─-╿]", " ", text).split())


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command `skser`, and return its exit code and what it printed."""

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["skser", *map(str, args)])
        with pytest.raises(SystemExit) as end, warnings.catch_warnings():
            cli.main()
        printed = capsys.readouterr()
        return end.value.code or 0, printed.out, plain(printed.err)

    return run


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """The folder of `skser evaluate`, and what the command printed."""
    out = tmp_path_factory.mktemp("evaluated") / "results"
    result = CliRunner().invoke(cli.app, ["evaluate", *TINY, "--out", str(out)])
    assert result.exit_code == 0, result.output
    return out, result


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The model file of `skser train`."""
    out = tmp_path_factory.mktemp("trained") / "model.skser"
    result = CliRunner().invoke(cli.app, ["train", *TINY, "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert plain(result.stdout) == f"Trained on 56 utterances of synthetic; wrote {out}"
    return out


@pytest.fixture
def no_estimate(monkeypatch):
    monkeypatch.setattr(_runs, "estimate_seconds", lambda *run: 100.0)


# --- help and start --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([], ["evaluate", "compare", "train", "predict", "reproduce", "cache", "--version"]),
        (["evaluate"], ["--corpus", "--root", "--resume", "--jobs", "--out", "skser evaluate"]),
        (["evaluate"], ["--protocol", "--seeds", "--epoch", "--precision", "--baseline"]),
        (["search"], ["--grid", "--baseline", "--resume", "--jobs", "--out", "skser search"]),
        (["compare"], ["folder_a", "folder_b", "skser compare"]),
        (["reproduce"], ["table1", "ablation", "compute", "table2", "table3", "table4"]),
        (["train"], ["--recipe", "--loss", "--out", "skser train"]),
        (["predict"], ["model", "files", "--json", "skser predict"]),
        (["cache"], ["info", "limit", "clear"]),
        (["features"], ["files", "--out", "--duration", "skser features"]),
    ],
)
def test_help_names_what_there_is(command, words):
    result = CliRunner().invoke(cli.app, [*command, "--help"])
    assert result.exit_code == 0
    assert [word for word in words if word not in plain(result.stdout).lower()] == []


def test_without_a_command_there_is_help(run):
    code, out, error = run()
    assert code == 2
    assert "[OPTIONS] COMMAND" in plain(out) + error


def test_version(run):
    assert run("--version") == (0, f"skser {skser.__version__}\n", "")


@pytest.mark.parametrize(
    "start",
    ["import skser", "import skser.cli; sys.argv = ['skser', '--help']; skser.cli.main()"],
    ids=["import", "help"],
)
def test_starting_does_not_load_what_is_slow(start):
    script = (
        "import atexit, sys\n"
        "slow = {'tensorflow', 'keras', 'librosa', 'sklearn', 'pandas', 'matplotlib', 'numpy'}\n"
        "atexit.register(lambda: print('loaded:', sorted(slow & {*sys.modules})))\n" + start
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "loaded: []"


# --- evaluate --------------------------------------------------------------------------------


def test_evaluate_writes_and_prints_everything(evaluated):
    out, result = evaluated
    assert {path.name for path in out.iterdir()} == {
        "predictions.csv",
        "confusion.csv",
        "confusion_matrix.png",
        "scores.json",
        "settings.json",
        "folds.csv",
        "folds",
    }
    assert (out / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")
    pooled = Evaluation.load(out).pooled
    lines = {line.split("  ")[0]: line for line in result.stdout.splitlines()}
    assert {"speaker s01", "speaker s02", "mean over speakers", "95 % interval"} <= {*lines}
    assert f"{100 * pooled['uar']:.2f}" in lines["pooled"]
    assert "Protocol: leave-one-speaker-out, 2 folds\n" in result.stdout
    assert "Unseen: the speaker" in result.stdout
    assert lines["float16 weights"]
    assert CAVEAT not in result.stdout
    written = result.stdout.split(f"Written to {out}: ")[1].strip().split(", ")
    assert {*written, "folds"} == {path.name for path in out.iterdir()}
    assert "2 folds to train: about" in plain(result.stderr)


def test_a_used_folder_is_refused(evaluated, run, no_estimate):
    out, _ = evaluated
    code, printed, error = run("evaluate", *TINY, "--out", out)
    assert (code, printed) == (1, "")
    assert error.endswith(
        f"Error: The folder '{out}' already holds an evaluation; resume it (resume=True, "
        "--resume) or give another folder."
    )


def test_resume_goes_on_where_the_run_stopped(evaluated, run, no_estimate):
    out, result = evaluated
    before = Evaluation.load(out)
    first, second = (out / "folds" / "seed-0" / f"{speaker}.json" for speaker in ("s01", "s02"))
    second.unlink()
    (out / "predictions.csv").unlink()
    kept = first.stat().st_mtime_ns
    code, printed, _ = run("evaluate", *TINY, "--out", out, "--resume")
    assert code == 0
    assert f"Command: skser evaluate {' '.join(TINY)} --out {out} --resume\n" in printed
    assert without_command(printed) == without_command(result.stdout)
    assert first.stat().st_mtime_ns == kept
    assert Evaluation.load(out).predictions.equals(before.predictions)


def without_command(text):
    return re.sub(r"^Command: .*\n", "", text, flags=re.MULTILINE)


def test_resume_refuses_other_settings(evaluated, run, no_estimate):
    out, _ = evaluated
    code, _, error = run("evaluate", *TINY, "--out", out, "--resume", "--loss", "focal")
    assert code == 1
    assert "model.classifier__loss was 'cross_entropy', now 'focal'" in error


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--corpus", "emodb"], "The corpus emodb needs --root FOLDER or --download."),
        (["--root", "somewhere"], "The synthetic corpus is made, not read; add --corpus emodb."),
        (["--speakers", "1"], "Invalid value for '--speakers'"),
        (["--learning-rate", "-1"], "Invalid value for '--learning-rate'"),
        (["--duration", "-1"], "Invalid value for '--duration'"),
        (["--corpus", "other"], "Invalid value for '--corpus'"),
    ],
)
@pytest.mark.parametrize("command", ["evaluate", "train"])
def test_wrong_usage_ends_with_2(run, tmp_path, command, args, message):
    code, out, error = run(command, *args, "--out", tmp_path / "out.skser")
    assert (code, out) == (2, "")
    assert message in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["evaluate", "train"])
def test_a_parameter_out_of_range_is_named(run, tmp_path, command):
    out = tmp_path / "out.skser"
    code, _, error = run(command, "--speakers", "2", "--duration", 0.01, "--out", out)
    assert code == 1
    assert "Error: The 'duration' parameter of MFCCTransformer must be at least one frame" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(find_spec("jax") is not None, reason="JAX is installed, so Keras starts")
def test_a_backend_that_is_not_installed_is_named():
    script = "from skser._process import start_keras; start_keras()"
    answer = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    assert answer.stderr.splitlines()[-1] == (
        "ImportError: The backend of Keras needs jax, which is not installed (KERAS_BACKEND is "
        "'jax')."
    )


def test_a_folder_that_is_no_corpus_is_named(run, tmp_path):
    code, _, error = run("evaluate", "--corpus", "emodb", "--root", tmp_path / "none")
    assert code == 1
    assert "Error:" in error
    assert str(tmp_path / "none") in error


# --- search ----------------------------------------------------------------------------------


def test_search_writes_and_prints_everything(run, no_estimate, tmp_path):
    args = ["--baseline", "majority", "--speakers", "2", "--out", tmp_path]
    code, out, error = run("search", *args, "--grid", "classifier__strategy=prior,most_frequent")
    assert code == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "results.csv",
        "failures.csv",
        "heat_map.png",
        "settings.json",
        "candidates",
    }
    assert "so its own is optimistic):\ncandidate" in out
    assert "Best is candidate 1: strategy=prior." in out
    assert "so its UAR of 14.3% is optimistic." in out
    files = "results.csv, heat_map.png, settings.json, candidates"
    assert out.endswith(f"Written to {tmp_path}: {files}\n")
    assert "4.0/4" in error


@pytest.mark.filterwarnings("default::skser.exceptions.FailedFoldWarning")
def test_search_ends_with_1_if_a_fold_failed(run, no_estimate, tmp_path):
    args = ["--baseline", "majority", "--speakers", "2", "--out", tmp_path]
    code, out, error = run("search", *args, "--grid", "classifier__strategy=prior,constant")
    assert code == 1
    assert "Failed: candidate 2, fold s01, seed 0: ValueError:" in out
    assert "Warning: The fold 's01' of candidate 2 of 2 (strategy=constant) failed; the" in error
    assert re.search(r"fold s01 finished, \d of 4", error)
    assert re.search(r"fold s01 failed, \d of 4", error)
    assert error.endswith("Error: 2 fold(s) failed, see above; --resume tries them again.")


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ("classifier__los=focal", "Got 'classifier__los'; did you mean classifier__loss?"),
        ("classifier__loss=hinge", "The 'loss' parameter of LightSERNetClassifier must be"),
        ("mfcc__duration=0.01", "The 'duration' parameter of MFCCTransformer must be at least"),
    ],
)
def test_a_grid_that_is_wrong_trains_nothing(run, tmp_path, grid, message):
    code, out, error = run("search", *TINY, "--out", tmp_path / "out", "--grid", grid)
    assert (code, out) == (1, "")
    assert message in error
    assert list(tmp_path.iterdir()) == []


# --- compare, and the protocol of the published figures ----------------------------------------


def test_published_says_what_it_knows_and_compare_repeats_it(evaluated, run, no_estimate, tmp_path):
    honest, _ = evaluated
    code, out, _ = run("evaluate", *TINY, "--protocol", "published", "--out", tmp_path / "p")
    assert code == 0
    assert f"Protocol: published ({CAVEAT}), 2 folds\n" in out
    assert "last epoch " in out
    code, out, _ = run("compare", honest, tmp_path / "p")
    assert code == 0
    first, second, *lines = out.splitlines()
    assert lines == str(skser.compare(*map(Evaluation.load, (honest, tmp_path / "p")))).splitlines()
    assert re.fullmatch(rf"First: {honest}, UAR \d+\.\d\d%, seeds 0", first)
    assert second.startswith(f"Second: {tmp_path / 'p'}, UAR ")
    assert out.endswith(f"The second evaluation {CAVEAT}.\n")


def test_compare_names_the_folder_that_holds_nothing(evaluated, run, tmp_path):
    code, out, error = run("compare", evaluated[0], tmp_path)
    assert (code, out) == (1, "")
    assert f"Error: The folder '{tmp_path}' holds no finished evaluation." in error


# --- train and predict -----------------------------------------------------------------------


def test_train_needs_the_folder_of_its_file(run, tmp_path):
    code, _, error = run("train", *TINY, "--out", tmp_path / "none" / "model.skser")
    assert code == 2
    assert "does not exist" in error


def test_predict_prints_a_table(trained, run, write_audio):
    files = write_audio("one.wav"), write_audio("[b]two[1].wav", duration=0.2)
    code, out, _ = run("predict", trained, *files)
    assert code == 0
    for heading in ("File", "Emotion", "Probability", "Heard"):
        assert heading in out
    lines = out.splitlines()
    for file, heard in zip(files, ("0.2 of 0.5 s", "0.2 of 0.2 s"), strict=True):
        assert any(str(file) in line and heard in line for line in lines)  # none is broken


def test_predict_prints_json(trained, run, write_audio):
    files = write_audio("one.wav"), write_audio("two.wav", duration=0.125)
    code, out, _ = run("predict", trained, *files, "--json")
    assert code == 0
    one, two = json.loads(out)
    assert (one["file"], one["seconds"], one["seconds_heard"]) == (str(files[0]), 0.5, 0.25)
    assert (two["file"], two["seconds"], two["seconds_heard"]) == (str(files[1]), 0.125, 0.125)
    expected = skser.load(trained).predict_proba([str(file) for file in files])
    np.testing.assert_allclose(list(two["probabilities"].values()), expected[1], atol=1e-6)
    assert len(one["probabilities"]) == 7
    assert sum(one["probabilities"].values()) == pytest.approx(1)
    assert one["emotion"] == max(one["probabilities"], key=one["probabilities"].get)


def test_predict_names_the_recording_that_is_missing(trained, run, write_audio, tmp_path):
    code, out, error = run("predict", trained, write_audio(), tmp_path / "[red]none.wav")
    assert (code, out) == (1, "")
    assert "[red]none.wav" in error
    assert "voice.wav" not in error


def test_predict_names_the_model_that_is_missing(run, write_audio, tmp_path):
    code, _, error = run("predict", tmp_path / "[x]none.skser", write_audio())
    assert code == 1
    assert "[x]none.skser' is missing or no file; check the path." in error


def test_predict_needs_a_whole_pipeline(trained, run, write_audio, tmp_path):
    skser.save(skser.load(trained)["classifier"], tmp_path / "bare.skser")
    code, _, error = run("predict", tmp_path / "bare.skser", write_audio())
    assert code == 2
    assert "holds a classifier of MFCCs alone" in error


# --- features --------------------------------------------------------------------------------


def test_features_are_those_of_the_transformer(run, write_audio, tmp_path):
    files = write_audio("one.wav"), write_audio("two.wav", duration=1)
    model = skser.make_light_sernet(duration=0.5)
    for options, transformer in (
        ([], model["mfcc"]),
        (["--recipe", "paper"], skser.MFCCTransformer(duration=0.5)),
    ):
        arguments = *files, "--duration", 0.5, *options, "--out", tmp_path / "mfcc.npz"
        code, out, _ = run("features", *arguments)
        expected = transformer.fit_transform(list(files))
        assert code == 0
        assert f"Wrote X of shape (2, 28, {transformer.n_mfcc})" in out
        with np.load(tmp_path / "mfcc.npz") as archive:
            assert archive["files"].tolist() == [str(file) for file in files]
            np.testing.assert_array_equal(archive["X"], expected)


@pytest.mark.parametrize(
    ("command", "suffix"), [(["train", *TINY], ".skser"), (["features", "a.wav"], ".npz")]
)
def test_only_its_own_files_are_overwritten(run, tmp_path, command, suffix):
    mine = tmp_path / "mine.wav"
    mine.write_text("mine")
    code, _, error = run(*command, "--out", mine)
    assert code == 2
    assert f"must end in {suffix}" in plain(error)
    assert mine.read_text() == "mine"


def test_features_of_a_missing_recording_are_not_written(run, write_audio, tmp_path):
    before = write_audio()
    code, _, error = run("features", before, tmp_path / "none.wav", "--out", tmp_path / "mfcc.npz")
    assert code == 1
    assert str(tmp_path / "none.wav") in error
    assert list(tmp_path.iterdir()) == [before]


# --- how it ends -----------------------------------------------------------------------------


def test_ctrl_c_ends_with_130(run, monkeypatch, no_estimate, tmp_path):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation, "evaluate", interrupt)
    code, _, error = run("evaluate", *TINY, "--out", tmp_path)
    assert code == 130
    assert error.endswith("Stopped. Finished folds of an evaluation are kept.")


@pytest.mark.parametrize("error", [ValueError, OSError, ImportError])
def test_brackets_in_messages_are_no_markup(run, monkeypatch, error):
    def fail():
        raise error("[bold]Install[/bold] it with pip install 'skser[extra]'")

    monkeypatch.setattr(cli, "app", fail)
    assert run() == (1, "", "Error: [bold]Install[/bold] it with pip install 'skser[extra]'")


def test_warnings_are_one_line(run, monkeypatch, capsys):
    def warn():
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = cli._show_warning
            warnings.warn("The recording '[b]x.wav' is silent.", SilentAudioWarning, stacklevel=1)
        sys.exit()

    monkeypatch.setattr(cli, "app", warn)
    assert run() == (0, "", "Warning: The recording '[b]x.wav' is silent.")
