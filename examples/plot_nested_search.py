"""
Nested search
=============

Which loss, and how many seconds of each utterance? A search answers that by comparing scores, and
its best score is optimistic, because the choice knows the speakers that it was scored on. Here the
search is scored itself: it chooses on inner speakers, and what it chose is tested on outer ones.
"""

# %%
# Corpus and model
# ----------------
# Few speakers, three emotions and few epochs keep the example fast. The corpus is synthetic.

from skser import make_light_sernet
from skser.datasets import make_emotional_speech

corpus = make_emotional_speech(
    4, n_utterances=4, emotions=["anger", "neutral", "sadness"], random_state=0
)
model = make_light_sernet(epochs=12, batch_size=4, random_state=0)

# %%
# Two loops
# ---------
# The inner loop is a search that leaves one speaker out. The outer loop holds out two of the four
# speakers at a time. Both need to know who speaks. With metadata routing enabled, scikit-learn
# hands the speakers, ``groups``, from ``cross_validate`` through the search to its splitter, and
# through the Pipeline to the network, which needs them for ``epoch_selection="inner"``. All of
# these request ``groups`` by themselves.

from sklearn import config_context
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut, cross_validate

from skser.metrics import SCORING

grid = {"classifier__loss": ["cross_entropy", "focal"], "mfcc__duration": [0.5, 1.0]}
with config_context(enable_metadata_routing=True):
    search = GridSearchCV(model, grid, cv=LeaveOneGroupOut(), scoring="balanced_accuracy")
    nested = cross_validate(
        search,
        corpus.data,
        corpus.target,
        params={"groups": corpus.groups},
        cv=GroupKFold(2),
        scoring=SCORING,
        return_estimator=True,
        return_indices=True,
    )

# %%
# What was chosen, and how it does
# --------------------------------
# Each row is an outer fold. ``inner UAR`` is the score by which the search chose; the others are
# those of two speakers whom neither the search nor the network has heard.

import pandas as pd

pd.DataFrame(
    [
        {
            "unheard": ", ".join(sorted(set(corpus.groups[test]))),
            **chosen.best_params_,
            "inner UAR": chosen.best_score_,
            "UAR": nested["test_uar"][fold],
            "WA": nested["test_wa"][fold],
            "F1": nested["test_f1_weighted"][fold],
        }
        for fold, (chosen, test) in enumerate(
            zip(nested["estimator"], nested["indices"]["test"], strict=True)
        )
    ]
).round(3)

# %%
# The folds may choose different parameters. That is no fault: the score is that of the whole
# procedure, search included. To have one model in the end, search on all speakers, and report the
# nested score for it.

print(f"UAR on unheard speakers: {nested['test_uar'].mean():.1%}, mean over two folds")

# %%
# How the candidates of the first fold compare, on its inner speakers:

import matplotlib.pyplot as plt

from skser.plotting import SearchDisplay

figure, ax = plt.subplots(figsize=(5.5, 3.5), layout="constrained")
title = "UAR, mean over inner speakers"
SearchDisplay.from_results(nested["estimator"][0].cv_results_, title=title, ax=ax)
plt.show()

# %%
# Without routing, and with other searches
# ----------------------------------------
# A search that is not nested needs no routing: ``search.fit(data, target, groups=speakers)``. And
# :func:`skser.evaluate` hands the speakers on with routing or without. It adds the audit of the
# splits, pooled scores with confidence intervals, and folds on disk:
#
# .. code-block:: python
#
#     from skser import evaluate
#     from skser.protocols import SpeakerGroups
#
#     evaluate(search, corpus, protocol=SpeakerGroups(n_splits=2), out="nested-results")
#
# ``RandomizedSearchCV`` and ``HalvingGridSearchCV`` take the place of ``GridSearchCV`` as they are.
# The latter gives few epochs to all candidates and many to the best ones, if the epochs are its
# resource:
#
# .. code-block:: python
#
#     from sklearn.experimental import enable_halving_search_cv
#     from sklearn.model_selection import HalvingGridSearchCV
#
#     HalvingGridSearchCV(
#         model.set_params(classifier__epochs=1),
#         grid,
#         resource="classifier__epochs",
#         min_resources=5,
#         max_resources=40,
#         cv=LeaveOneGroupOut(),
#         scoring="balanced_accuracy",
#     )
