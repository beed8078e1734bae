"""The options of the command line: the corpus, the model and the run that they stand for."""

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline
from typer.testing import CliRunner

import skser
from skser import MFCCTransformer, _options, cli, datasets, evaluation, pipeline


@pytest.fixture
def calls(monkeypatch):
    """Replace corpora, network and evaluation, and return what each was called with."""
    made = {}

    def record(name, result):
        def call(*args, **kwargs):
            made[name] = (args, kwargs)
            return result

        return call

    readers = ("emodb", "iemocap", "ravdess", "savee", "crema_d", "tess", "audio_folder", "table")
    for name in readers:
        monkeypatch.setattr(datasets, f"load_{name}", record(f"load_{name}", f"corpus {name}"))
    monkeypatch.setattr(datasets, "fetch_emodb", record("fetch_emodb", "corpus fetched"))
    monkeypatch.setattr(datasets, "make_emotional_speech", record("make", "corpus synthetic"))
    monkeypatch.setattr(pipeline, "make_light_sernet", record("model", "network"))
    monkeypatch.setattr(evaluation, "evaluate", record("evaluate", "the scores"))
    figure = SimpleNamespace(figure_=SimpleNamespace(savefig=lambda *args, **kwargs: None))
    monkeypatch.setattr(skser.plotting, "plot_confusion_matrix", lambda evaluation: figure)
    return made


def run(*args):
    """Run `skser`, and return its exit code and what it printed, boxes and line breaks removed."""
    answer = CliRunner().invoke(cli.app, [*map(str, args)])
    text = re.sub(r"\x1b\[[0-9;]*m|[─-╿]", " ", answer.output)
    return answer.exit_code, " ".join(text.split())


# --- corpora -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["emodb", "iemocap", "ravdess", "savee", "crema-d", "tess"])
def test_a_release_is_read_from_its_folder(calls, name):
    assert run("evaluate", "--corpus", name, "--root", "here")[0] == 0
    loader = name.replace("-", "_")
    assert calls[f"load_{loader}"] == ((Path("here"),), {})
    assert calls["evaluate"][0] == ("network", f"corpus {loader}")


def test_iemocap_has_subsets(calls):
    run("evaluate", "--corpus", "iemocap", "--root", "here", "--subset", "improvised")
    assert calls["load_iemocap"] == ((Path("here"),), {"subset": "improvised"})


def test_a_folder_is_read_by_a_pattern(calls):
    run("evaluate", "--corpus", "folder", "--root", "here", "--pattern", "(?P<speaker>.)")
    assert calls["load_audio_folder"] == ((Path("here"), "(?P<speaker>.)"), {})


def test_a_table_is_read(calls):
    assert run("evaluate", "--corpus", "table", "--root", "mine.csv")[0] == 0
    assert calls["load_table"] == ((Path("mine.csv"),), {})


def test_a_corpus_is_downloaded(calls):
    run("evaluate", "--corpus", "emodb", "--download", "--url", "http://mirror")
    assert calls["fetch_emodb"] == ((), {"url": "http://mirror"})


def test_the_synthetic_corpus_is_the_same_for_every_seed(calls):
    run("evaluate", "--speakers", 3, "--seeds", 7)
    assert calls["make"] == ((3,), {"random_state": 0})


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--corpus", "savee"], "The corpus savee needs --root"),
        (["--corpus", "table", "--download"], "needs --root; it cannot be downloaded"),
        (["--corpus", "folder", "--root", "x"], "--corpus folder needs --pattern"),
        (["--corpus", "emodb", "--root", "x", "--pattern", "y"], "no other corpus takes it"),
        (["--corpus", "emodb", "--root", "x", "--subset", "all"], "Only --corpus iemocap has"),
        (["--corpus", "tess", "--root", "x", "--speakers", "2"], "Only the synthetic corpus"),
        (["--corpus", "emodb", "--root", "x", "--download"], "in a folder or downloaded"),
        (["--subset", "some"], "Invalid value for '--subset'"),
    ],
)
def test_what_a_corpus_does_not_take_is_refused(calls, tmp_path, args, message):
    code, text = run("train", *args, "--out", tmp_path / "model.skser")
    assert code == 2
    assert message in text
    assert calls == {}


# --- models and runs ---------------------------------------------------------------------------


def test_the_defaults_are_the_honest_ones(calls):
    code, text = run("evaluate")
    assert code == 0
    assert text.startswith("the scores")
    model, how = calls["model"][1], calls["evaluate"][1]
    assert (model["epoch_selection"], model["precision"]) == ("last", "float32")
    assert (model["random_state"], model["recipe"]) == (0, "robust")
    assert (how["protocol"], how["seeds"]) == ("leave-one-speaker-out", (0,))


def test_protocol_seeds_epoch_and_precision_are_passed_on(calls):
    given = "--protocol speaker-groups --seeds 3,1 --epoch inner --precision bfloat16"
    assert run("evaluate", *given.split(), "--learning-rate", "0.01")[0] == 0
    model, how = calls["model"][1], calls["evaluate"][1]
    assert (model["epoch_selection"], model["precision"]) == ("inner", "bfloat16")
    assert (model["random_state"], model["learning_rate"]) == (3, 0.01)
    assert "epochs" not in model
    assert (how["protocol"], how["seeds"]) == ("speaker-groups", (3, 1))


@pytest.mark.parametrize("seeds", ["", "1,", "-1", "one", "0.5", "0,1,0"])
def test_seeds_are_different_whole_numbers(calls, seeds):
    code, text = run("evaluate", f"--seeds={seeds}")
    assert code == 2
    assert "give different whole numbers from 0 on, such as 0,1,2" in text


@pytest.mark.parametrize(
    ("text", "grid"),
    [
        (
            "classifier__loss=cross_entropy,focal;mfcc__duration=3,7",
            {"classifier__loss": ["cross_entropy", "focal"], "mfcc__duration": [3, 7]},
        ),
        (" C = 0.1 , 1e-3 ,None; paths= a b ;", {"C": [0.1, 0.001, None], "paths": ["a b"]}),
        ("warm=True,False,true", {"warm": [True, False, "true"]}),
        ("C=-1,1.0,007,1e", {"C": [-1, 1.0, 7, "1e"]}),
    ],
)
def test_a_grid_is_read(text, grid):
    read = _options.parse_grid(text)
    assert read == grid
    kinds = [[type(value) for value in values] for values in read.values()]
    assert kinds == [[type(value) for value in values] for values in grid.values()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Got '' in ''; give name=value,value with semicolons between the parameters"),
        ("loss", "Got 'loss' in 'loss'"),
        ("loss=", "Got 'loss=' in"),
        ("=focal", "Got '=focal' in"),
        ("loss=a,,b", "Got 'loss=a,,b' in"),
        ("loss=a;;C=1", "Got '' in"),
        ("C=1;loss", "Got 'loss' in 'C=1;loss'"),
        ("C=1;C=2", "Got 'C' more than once; give all of its values together"),
    ],
)
def test_a_grid_that_cannot_be_read_is_refused(calls, text, message):
    code, printed = run("search", f"--grid={text}")
    assert code == 2
    assert message in printed
    assert calls == {}


@pytest.fixture
def baselines(monkeypatch):
    module = ModuleType("skser.baselines")
    module.make_baseline = lambda name, speaker_adaptation: DummyClassifier(
        constant=(name, speaker_adaptation)
    )
    monkeypatch.setitem(sys.modules, "skser.baselines", module)
    monkeypatch.setattr(skser, "baselines", module, raising=False)


def test_a_baseline_takes_the_place_of_the_network(calls, baselines):
    code, _ = run("evaluate", "--baseline", "mfcc_svc")
    assert code == 0
    assert calls["evaluate"][0][0].constant == ("mfcc_svc", False)
    assert "model" not in calls


def test_a_baseline_refuses_the_options_of_the_network(calls, baselines):
    code, text = run("evaluate", "--baseline", "majority", "--loss", "focal", "--epoch", "last")
    assert code == 2
    assert "has no use for the network's options. Got --loss, --epoch." in text
    assert "evaluate" not in calls


@pytest.mark.parametrize("args", [[], ["--baseline", "mfcc_svc"]])
def test_a_cache_keeps_the_mfcc_of_networks_and_baselines(calls, monkeypatch, tmp_path, args):
    model = Pipeline([("mfcc", MFCCTransformer()), ("classifier", DummyClassifier())])
    monkeypatch.setattr(pipeline, "make_light_sernet", lambda **params: model)
    assert run("evaluate", *args, "--cache", tmp_path)[0] == 0
    assert calls["evaluate"][0][0].get_params()["mfcc__cache"] == str(tmp_path)


def test_a_cache_is_refused_where_there_are_no_mfcc(calls, baselines, tmp_path):
    code, text = run("evaluate", "--baseline", "majority", "--cache", tmp_path)
    assert code == 2
    assert "Only MFCCs are kept, and this baseline has none." in text
    assert "evaluate" not in calls


def test_compare_prints_the_comparison(monkeypatch):
    def load(folder):
        return SimpleNamespace(name=folder.name, settings={"seeds": [0, 2]}, pooled={"uar": 0.5})

    monkeypatch.setattr(skser.Evaluation, "load", load)
    monkeypatch.setattr(skser, "compare", lambda a, b: f"{a.name} against {b.name}", raising=False)
    code, text = run("compare", "one", "two")
    assert code == 0
    first, second = (f"{name}, UAR 50.00%, seeds 0, 2" for name in ("First: one", "Second: two"))
    assert text == f"{first} {second} one against two"
