"""The rule of LABELS.md for the wider curves, line by line. It sees no validation."""

import math

import numpy as np

# The names of what the file keeps of the truth, in its order.
TRUTH = (
    "shown",
    "end",
    "best",
    "rise",
    "error",
    "spread",
    "wander",
    "later",
    "ahead",
    "train_last",
    "train_end",
    "train_when",
    "constant_train",
    "constant_test",
    "reachable",
    "validation",
)
RISE = 0.03
INTERVAL = 1.96
AHEAD, AHEAD_BAND = 0.96, (0.94, 0.98)
SKILL_BAND = (0.25, 0.5)


def truth_of(train, test, shown):
    """The quantities of LABELS.md of one training.

    Args:
        train: Loss on the training rows after every epoch.
        test: Loss of every test row after every epoch, of shape (epochs, rows).
        shown: The number of epochs that the curve shows.
    """
    block = max(1, shown // 10)
    test = np.asarray(test, dtype=float)
    levels = _levels(test.mean(axis=1), block)
    within = levels[: shown - block + 1]
    best = int(np.nanargmin(within)) if np.isfinite(within).any() else 0
    end_rows = test[shown - block : shown].mean(axis=0)
    best_rows = test[best : best + block].mean(axis=0)
    half = max(0, shown // 2 - block)
    half_rows = test[half : half + block].mean(axis=0)
    train_levels = _levels(train, block)
    spread = float(np.std(end_rows - best_rows, ddof=1))
    return {
        "shown": shown,
        "end": float(end_rows.mean()),
        "best": float(best_rows.mean()),
        "rise": float((end_rows - best_rows).mean()),
        "error": spread / math.sqrt(len(end_rows)),
        "spread": spread,
        "wander": float(np.std(end_rows - half_rows, ddof=1)),
        "later": float(test[shown:].mean()),
        "ahead": float(np.min(_levels(test[shown:].mean(axis=1), block))),
        "train_last": train[shown - 1],
        "train_end": float(train_levels[shown - block]),
        "train_when": float(train_levels[best]),
    }


def _levels(values, block):
    """Means over `block` epochs in succession."""
    values = np.asarray(values, dtype=float)
    return np.convolve(values, np.full(block, 1 / block), mode="valid")


def labels_of(truth):
    """The label and the other verdicts that are right too; nothing for an accident."""
    end, best, last = truth["end"], truth["best"], truth["train_last"]
    if not math.isfinite(last) or last >= 1.5 * truth["constant_train"]:
        return ("diverged",)
    rows = INTERVAL / math.sqrt(truth["validation"])
    if truth["rise"] >= RISE * best:
        lasts = truth["later"] >= (1 + RISE) * best
        is_sure = truth["rise"] > INTERVAL * truth["error"]
        if not (is_sure and lasts and truth["train_end"] < truth["train_when"]):
            return ()
        is_seen = truth["rise"] > rows * truth["spread"]
        return ("overfitting",) if is_seen else ("overfitting", "inconclusive")
    constant = truth["constant_test"]
    skill = (constant - end) / (constant - truth["reachable"])
    settled = ["good fit"] if skill > SKILL_BAND[0] else ["underfitting"]
    if SKILL_BAND[0] < skill < SKILL_BAND[1]:
        settled.append("underfitting")
    falls = truth["ahead"] / end
    found = ["improving"] if falls <= AHEAD else settled
    if AHEAD_BAND[0] <= falls <= AHEAD_BAND[1]:
        found = [*found, *(settled if falls <= AHEAD else ["improving"])]
    if found[0] != "improving" and RISE * best < rows * truth["wander"]:
        found.append("inconclusive")
    return tuple(found)
