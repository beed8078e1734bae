"""
Leave one speaker out
=====================

A speech emotion recogniser is used on people it was not trained on. So it is tested on people it
was not trained on: each speaker is held out once, and predicted by a network trained on all the
others. This example does it twice, with scikit-learn's ``cross_validate`` and with
:func:`skser.evaluate`, and shows what the second one adds.
"""

# %%
# A corpus
# --------
# :func:`~skser.datasets.make_emotional_speech` synthesises a small corpus in memory. To run the
# example on recordings, read a corpus instead, for instance with
# :func:`~skser.datasets.load_emodb`; nothing else changes.
#
# The corpus is a Bunch. ``data`` are the waveforms (or paths of recordings), ``target`` the
# emotions and ``groups`` the speakers.

from skser.datasets import make_emotional_speech

corpus = make_emotional_speech(
    4,
    n_utterances=6,
    emotions=["anger", "fear", "neutral", "sadness"],
    random_state=0,
)
corpus.frame.groupby(["speaker", "label"]).size().unstack()

# %%
# The model
# ---------
# :func:`~skser.make_light_sernet` returns a scikit-learn Pipeline: MFCCs, then the network. The
# short duration, the few epochs and the small batches make this example fast. They are fixed before
# anything is measured.

from skser import make_light_sernet

model = make_light_sernet(duration=1.0, epochs=12, batch_size=4, random_state=0)

# %%
# With scikit-learn
# -----------------
# ``LeaveOneGroupOut`` holds out one group at a time, and the groups are the speakers.
# :data:`skser.metrics.SCORING` names the scores of the field: unweighted average recall (UAR),
# weighted accuracy (WA) and two kinds of F1.

from sklearn.model_selection import LeaveOneGroupOut, cross_validate

from skser.metrics import SCORING

scores = cross_validate(
    model,
    corpus.data,
    corpus.target,
    groups=corpus.groups,
    cv=LeaveOneGroupOut(),
    scoring=SCORING,
)
for name in SCORING:
    by_fold = scores[f"test_{name}"]
    print(f"{name:<12} mean over speakers {by_fold.mean():6.1%}   by speaker", by_fold.round(3))

# %%
# With skser.evaluate
# -------------------
# :func:`skser.evaluate` makes the same folds. It also audits every split, and it keeps all
# predictions. So it can pool them: the pooled score is computed once, over all utterances
# together. It is another number than the mean over speakers, and it has a confidence interval,
# by a bootstrap over speakers.
#
# With a folder as ``out``, each finished fold is written at once, and ``resume=True`` goes on
# with a run that was interrupted.

from skser import evaluate

evaluation = evaluate(model, corpus)
print(evaluation)

# %%
# The folds and seeds are those of ``cross_validate``, so the means over speakers are the same. Here
# every speaker has as many utterances of each emotion, so UAR and WA agree, pooled or not; F1 shows
# that the two ways to join the folds differ. The scores are attributes, too.

low, high = evaluation.intervals["uar"]
print(f"Pooled UAR {evaluation.pooled['uar']:.1%}, 95 % interval {low:.1%} to {high:.1%}")
evaluation.per_speaker.round(3)

# %%
# Four speakers are few, so the interval is rough. What it says at least: another set of speakers
# would have given another score.

# %%
# Which emotions are taken for which
# ----------------------------------
# Each row is an emotion that was shown, each column one that was predicted. The mean of the
# diagonal is the UAR.

import matplotlib.pyplot as plt

from skser.plotting import plot_confusion_matrix

figure, ax = plt.subplots(figsize=(6, 5), layout="constrained")
plot_confusion_matrix(evaluation, ax=ax)
plt.show()
