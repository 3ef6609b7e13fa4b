"""What the sentence says besides the verdict: doubt, the gap, phases and others."""

import re

import numpy as np

from keras_decay.curves.data import columns
from keras_decay.curves.verdict.words import chance, multiple
from keras_decay.ground import schema

# Below this the sentence is modest.
SURE = 0.8
# A gap as large as the training loss is at least half of the validation loss; and it is
# no noise.
LARGE_GAP = 1.0
GAP_NOISE = 3.0


def doubt(found, case):
    """How many of such curves overfit, where the verdict may well be wrong."""
    likely = case.probability
    if likely is None or found["verdict"] in ("diverged", "inconclusive"):
        return ""
    if max(likely, 1 - likely) >= SURE:
        return ""
    return f"; not sure: of 100 such curves about {chance(likely)} overfit"


def has_large_gap(case):
    """Whether the gap is large against both losses, whatever the trend."""
    train, val = (_as_loss(one.smooth, case.words) for one in _both(case))
    gap = val[-1] - train[-1]
    noise = case.curves.val.jitter
    return bool(
        train[-1] > 0 and gap >= LARGE_GAP * train[-1] and gap > GAP_NOISE * noise
    )


def gap(case):
    """The gap as a multiple, where it is large."""
    if case.evidence is None or not has_large_gap(case):
        return ""
    train, val = (_as_loss(one.smooth, case.words)[-1] for one in _both(case))
    with np.errstate(over="ignore"):
        ratio = multiple(float(np.float64(val) / np.float64(train)))
    name = case.words.metric if case.words.mode == "min" else "error"
    return f"; the gap is large: validation {name} is {ratio} times training {name}"


def _both(case):
    return case.curves.train, case.curves.val


def _as_loss(judged, words):
    """The values themselves; of a metric between 0 and 1 what it lacks to 1."""
    if words.mode == "min":
        return judged
    return np.ldexp(1.0, -words.exponent) + judged


# Names of what should be high and counts right answers.
_ACCURACY = re.compile(r"(accuracy|acc|auc|f1|top_?\d.*)$", re.I)


def overconfidence(found, case, rows, column):
    """Validation loss has risen while validation accuracy has, too."""
    if found["verdict"] != "overfitting" or case.words.metric != schema.LOSS:
        return ""
    best = case.curves.val.epochs[case.evidence.best]
    for name in columns.names(rows):
        if not name.startswith(schema.VALIDATION) or not _ACCURACY.search(name):
            continue
        right = columns.series(rows, name)
        if len(right) != len(columns.series(rows, schema.VALIDATION + column)):
            continue
        at_best = right.values[np.searchsorted(right.epochs, best)]
        last = float(np.mean(right.values[-max(1, len(right) // 10) :]))
        if last > at_best:
            return (
                f"; {name} rose from {at_best:.3g} to {last:.3g} meanwhile: the model "
                "is overconfident rather than wrong more often"
            )
    return ""


def phase(case):
    """Since when the curve is judged, where the training was changed."""
    return "" if case.phase is None else f"; judged since {case.phase.words}"


_PENALTY = re.compile(
    r"^(train_|val_)?(penalty|.*regulari[sz]ation.*|reg(_loss)?|l[12](_loss|_penalty)?|"
    r"weight_decay_loss)$",
    re.I,
)


def penalised(rows, column):
    """That the loss holds a penalty, where a column of that name tells it."""
    if column != schema.LOSS:
        return ""
    for name in columns.names(rows):
        if _PENALTY.match(name) and len(columns.series(rows, name)):
            return f"; this loss holds a penalty (column {name!r}), which is no error"
    return ""


def left_out(not_finite, losses):
    """Losses between finite ones that are not finite."""
    count = sum(int(np.sum(~np.isfinite(one.values))) for one in losses)
    if not_finite is not None or not count:
        return ""
    if count == 1:
        return "; 1 loss that is not finite is left out"
    return f"; {count} losses that are not finite are left out"
