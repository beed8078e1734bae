"""
Search over loss and duration
=============================

The steps of the Pipeline are scikit-learn estimators, so ``GridSearchCV`` reaches the parameters
of both: the loss of the network and the duration of the features. The best score of a grid is
optimistic, however. This example shows the search, and says why.
"""

# %%
# Corpus and model
# ----------------
# Few speakers, three emotions and few epochs keep the example fast. The corpus is synthetic.

from skser import make_light_sernet
from skser.datasets import make_emotional_speech

corpus = make_emotional_speech(
    3, n_utterances=6, emotions=["anger", "neutral", "sadness"], random_state=0
)
model = make_light_sernet(epochs=12, batch_size=4, random_state=0)

# %%
# The search
# ----------
# Every candidate is scored leave-one-speaker-out. ``classifier__loss`` is a parameter of the
# network, ``mfcc__duration`` one of the features: how many seconds around the middle of an
# utterance the network hears.

from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut

grid = {"classifier__loss": ["cross_entropy", "focal"], "mfcc__duration": [0.5, 1.0]}
search = GridSearchCV(model, grid, cv=LeaveOneGroupOut(), scoring="balanced_accuracy", refit=False)
search.fit(corpus.data, corpus.target, groups=corpus.groups)

# %%
# Balanced accuracy is what scikit-learn calls the unweighted average recall (UAR).
# :class:`~skser.plotting.SearchDisplay` draws any table of this form.

import matplotlib.pyplot as plt

from skser.plotting import SearchDisplay

figure, ax = plt.subplots(figsize=(5.5, 3.5), layout="constrained")
title = "UAR, mean over held-out speakers"
SearchDisplay.from_results(search.cv_results_, title=title, ax=ax)
plt.show()

# %%
# The best score is optimistic
# ----------------------------
# No network of the grid has heard the speaker it is scored on. But the best of the four candidates
# was chosen by these very scores. The choice knows all speakers, so ``best_score_`` is no estimate
# of what the chosen model does on new ones.

print(f"Best of the grid: {search.best_params_}")
print(f"Its UAR, optimistic: {search.best_score_:.1%}")

# %%
# What to do about it
# -------------------
# An honest number needs a second loop, which holds out speakers whom the search never hears:
# :ref:`sphx_glr_auto_examples_plot_nested_search.py`. The user guide says more about the
# :ref:`search <parameter-search>`, and about :func:`skser.search`, which keeps every finished fold
# on disk and goes on after an interruption.
