"""Count the MFCCs that a grid search computes: `python -m benchmarks.grid --root EMODB`."""

import argparse
import tempfile

from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.pipeline import Pipeline

from skser import MFCCTransformer
from skser.cache import describe_cache
from skser.datasets import load_emodb
from skser.functionals import MFCCStatistics


def count(root: str, n_jobs: int) -> str:
    """Search over two losses and two durations, speaker by speaker, and count.

    A linear classifier takes the place of the network: it asks for the same MFCCs.
    """
    corpus = load_emodb(root)
    with tempfile.TemporaryDirectory() as folder:
        steps = [
            ("mfcc", MFCCTransformer(cache=folder)),
            ("statistics", MFCCStatistics()),
            ("classifier", SGDClassifier(max_iter=5, tol=None, random_state=0)),
        ]
        grid = {"classifier__loss": ["hinge", "log_loss"], "mfcc__duration": [2.0, 3.0]}
        search = GridSearchCV(Pipeline(steps), grid, cv=LeaveOneGroupOut(), n_jobs=n_jobs)
        search.fit(corpus.data, corpus.target, groups=corpus.groups)
        described = describe_cache(folder)
    return f"{n_jobs} worker(s): {described.misses:,} computed, {described.hits:,} found"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grid", description=__doc__)
    parser.add_argument("--root", required=True, help="Folder of EMO-DB.")
    for n_jobs in (1, 2):
        print(count(parser.parse_args().root, n_jobs))
