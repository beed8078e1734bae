"""
Search over loss and duration
=============================

The steps of the Pipeline are scikit-learn estimators, so ``GridSearchCV`` reaches the parameters
of both: the loss of the network and the duration of the features. The best score of a grid is
optimistic, however. This example shows the search, says why, and how to get an honest number.
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

import pandas as pd

uar = (
    pd.DataFrame(search.cv_results_)
    .rename(columns={"param_classifier__loss": "loss", "param_mfcc__duration": "duration"})
    .astype({"duration": float})
    .pivot(index="loss", columns="duration", values="mean_test_score")
)

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(5.5, 3.5), layout="constrained")
image = ax.imshow(uar, cmap="Blues", vmin=0, vmax=1)
ax.set_xticks(range(uar.shape[1]), [f"{duration:g} s" for duration in uar.columns])
ax.set_yticks(range(uar.shape[0]), uar.index)
ax.set(xlabel="duration", ylabel="loss", title="UAR, mean over held-out speakers")
for row, column in [(r, c) for r in range(uar.shape[0]) for c in range(uar.shape[1])]:
    value = uar.iloc[row, column]
    ax.text(column, row, f"{value:.1%}", ha="center", color="white" if value > 0.5 else "black")
figure.colorbar(image, ax=ax)
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
# Nested evaluation
# -----------------
# An honest number needs a second loop. The outer loop holds a speaker out; the inner loop searches
# among the others alone; the model that it chose is then tested on the speaker held out. The inner
# search needs to know its speakers, too, and scikit-learn passes them on once metadata routing is
# enabled. That takes several times as long as the search alone, so it is not run here:
#
# .. code-block:: python
#
#     from sklearn import config_context
#     from sklearn.model_selection import cross_validate
#
#     search.set_params(refit=True)
#     with config_context(enable_metadata_routing=True):
#         nested = cross_validate(
#             search,
#             corpus.data,
#             corpus.target,
#             params={"groups": corpus.groups},
#             cv=LeaveOneGroupOut(),
#             scoring="balanced_accuracy",
#             return_estimator=True,
#         )
#     nested["test_score"].mean()
#     [estimator.best_params_ for estimator in nested["estimator"]]
#
# The folds may choose different parameters. That is no fault: the score is that of the whole
# procedure, search included. To have one model in the end, search on all speakers, and report the
# nested score for it. The user guide says more about the :ref:`search <parameter-search>`.
