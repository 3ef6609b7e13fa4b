"""The rule of LABELS.md, line by line. It sees no validation loss."""

import math

import numpy as np

SHORT = 4
# The names of what the file keeps of the truth, in its order.
TRUTH = (
    "shown",
    "end",
    "best",
    "later",
    "ahead",
    "train_last",
    "train_end",
    "train_when",
    "reachable",
    "constant_train",
    "constant_test",
)


def truth_of(train, test, shown):
    """The quantities of LABELS.md of one training.

    Args:
        train: Loss on the training rows after every epoch.
        test: Loss on the test rows after every epoch.
        shown: The number of epochs that the curve shows.
    """
    block = max(1, shown // 10)
    levels, train_levels = _levels(test[:shown], block), _levels(train[:shown], block)
    best = int(np.nanargmin(levels)) if np.isfinite(levels).any() else 0
    return {
        "shown": shown,
        "end": levels[-1],
        "best": levels[best],
        "later": float(np.mean(test[shown:])),
        "ahead": float(np.min(_levels(test[shown:], block))),
        "train_last": train[shown - 1],
        "train_end": train_levels[-1],
        "train_when": train_levels[best],
    }


def _levels(values, block):
    """Means over `block` epochs in succession."""
    values = np.asarray(values, dtype=float)
    return np.convolve(values, np.full(block, 1 / block), mode="valid").tolist()


def label_of(truth):
    """The label by the rule, or None for what lies between."""
    end, best, ahead = truth["end"], truth["best"], truth["ahead"]
    if truth["shown"] <= SHORT:
        return "inconclusive"
    last = truth["train_last"]
    if not math.isfinite(last) or last >= 1.5 * truth["constant_train"]:
        return "diverged"
    fallen = truth["train_end"] < truth["train_when"]
    if end >= 1.15 * best and truth["later"] >= 1.15 * best and fallen:
        return "overfitting"
    if not end <= 1.03 * best:
        return None
    if ahead <= 0.95 * end:
        return "improving"
    if not ahead >= 0.98 * end:
        return None
    constant = truth["constant_test"]
    skill = (constant - end) / (constant - truth["reachable"])
    if skill <= 0.25:
        return "underfitting"
    return "good fit" if skill >= 0.8 else None
