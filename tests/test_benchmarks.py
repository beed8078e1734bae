"""The benchmarks run; what they measure is no test."""

import json
import subprocess
import sys
from pathlib import Path


def test_the_features_are_compared_on_noise(tmp_path):
    out = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", "--only", "features", "--synthetic"]
    answer = subprocess.run(
        [*command, "--repeats", "1", "--files", "4", "--out", str(out)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    results = json.loads(out.read_text())
    assert results["versions"]["numpy"]
    assert results["options"]["recordings"] == "noise"
    peers = {row["peer"] for row in results["rows"]}
    assert {"librosa.load, librosa.feature.mfcc", "tf.signal, one graph"} <= peers
    assert {"n_jobs=1", "one process"} <= peers
    assert all(row["low"] <= row["median"] <= row["high"] for row in results["rows"])
    assert "Written to" in answer.stdout
