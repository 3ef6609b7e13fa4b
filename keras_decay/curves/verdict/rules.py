"""The rules of `diagnose`, one function each, and the order in which they are asked.

Every rule takes a `Case` and returns a dict of fields of the `Diagnosis`, or None if it
does not hold. The numbers it uses stand above it, with their reasons.
"""

import math

import numpy as np

from keras_decay.curves.verdict import order, prechelt, rise, smoothing, trend
from keras_decay.curves.verdict.case import MIN_EPOCHS
from keras_decay.curves.verdict.words import percent

# Training that works never comes back to its first epoch, whose loss is an average over
# the first steps of all. Twice that value is no noise; less must be seen to be none.
DIVERGED_ABOVE_START = 2.0
DIVERGED_ABOVE_ALL = 1.05
DIVERGED_NOISE = 4.0
# A model that had learned something (its loss fell by half) and lost most of it.
DIVERGED_LEARNED = 0.5
DIVERGED_LOST = 0.75


def diverged(case):
    """The last loss is not finite, or training loss has climbed far up."""
    curves, words = case.curves, case.words
    if curves.not_finite is not None:
        name, epoch = curves.not_finite
        since = f"{name} {words.metric} is not finite since epoch {epoch}"
        return {"verdict": "diverged", "sentence": f"diverged: {since}"}
    train = curves.train
    if len(train) < MIN_EPOCHS:
        return None
    first, best, last = train.raw[0], train.smooth[train.best], train.smooth[-1]
    fallen, climbed = first - best, last - best
    # For losses that are not negative this is |first|.
    unit = max(abs(first), fallen)
    jump = last - first
    never_back = jump > max(
        (DIVERGED_ABOVE_ALL - 1) * unit, DIVERGED_NOISE * train.noise
    ) and np.all(train.raw[1:] > first)
    if jump > (DIVERGED_ABOVE_START - 1) * unit > 0 or never_back:
        sentence = (
            f"diverged: {words.train} has {_climbed(words)} from {words.short(first)} "
            f"to {words.short(last)}"
        )
        return {"verdict": "diverged", "sentence": sentence}
    learned = fallen > DIVERGED_LEARNED * abs(first)
    if learned and climbed > max(DIVERGED_LOST * fallen, DIVERGED_NOISE * train.noise):
        sentence = (
            f"diverged: {words.train} had {words.better} to {words.short(best)} by "
            f"epoch {int(train.epochs[train.best])} and is back at {words.short(last)}"
        )
        return {"verdict": "diverged", "sentence": sentence}
    return None


def _climbed(words):
    return "fallen" if words.mode == "max" else "climbed"


def too_little(case):
    """There is not enough to judge."""
    curves, metric = case.curves, case.words.metric
    if not len(curves.val):
        why = _missing(curves, "validation", f"val_{metric}")
    elif not len(curves.train):
        why = _missing(curves, "training", metric)
    elif len(curves.val) < MIN_EPOCHS:
        count = len(curves.val)
        epochs = "1 epoch" if count == 1 else f"{count} epochs"
        why = f"{epochs} with validation cannot be judged, {MIN_EPOCHS} are needed"
    else:
        return None
    return {"verdict": "inconclusive", "sentence": f"inconclusive: {why}"}


_MOST_COLUMNS = 12


def _missing(curves, kind, name):
    """Why there is no loss of this kind, with the columns that there are."""
    if name in curves.columns:
        return f"the column {name!r} holds no number"
    metric = name.removeprefix("val_")
    if not curves.columns:
        return f"no {kind} {metric} was recorded"
    shown = ", ".join(map(repr, curves.columns[:_MOST_COLUMNS]))
    more = ", …" if len(curves.columns) > _MOST_COLUMNS else ""
    return f"no {kind} {metric} is known among {shown}{more}"


# Half as many epochs again is what one would spend on a gain of a twenty-fifth.
AHEAD = 1.5
IMPROVING_GAIN = 0.04
# What the end of the curve shows is asked three times; the answer in the middle counts:
# the last fifth may be one wave of a wandering loss, the last half a fall long over.
IMPROVING_SHARES = (1 / 5, 1 / 3, 1 / 2)
IMPROVING_NOISE = 2.0
# A loss that has given back more than this of what was learned is not at its best. Nor
# is one that lies more than this above it, unless the best was but a wave ago.
IMPROVING_LOST = 0.10
IMPROVING_RISE = 0.03


def improving(case):
    """Validation loss still falls, so that more epochs would bring it further down."""
    val, words = case.last.val, case.words
    slopes = [trend.slope(val.raw, share) for share in IMPROVING_SHARES]
    fall = -float(np.median(slopes)) * math.log(AHEAD)
    gain = val.relative(fall, val.best)
    # The standard error of a slope through n values, times the stretch they cover, is
    # √(12/n) of theirs; over the last third the logarithm grows by that of `AHEAD`.
    tail = smoothing.noise(val.raw[-max(MIN_EPOCHS, len(val) // 2) :])
    error = tail * math.sqrt(12 / max(4, len(val) / 3))
    is_steady = falls_steadily(val.raw)
    if gain < IMPROVING_GAIN or not (is_steady or fall > IMPROVING_NOISE * error):
        return None
    if case.evidence.lost > IMPROVING_LOST:
        return None
    late = val.best >= (1 - IMPROVING_SHARES[0]) * len(val)
    if val.rise > IMPROVING_RISE and not late:
        return None
    ends = "at its best"
    if val.rise > 0.01:
        ends = f"{percent(val.rise)} {words.off} its best"
    sentence = (
        f"improving: {words.val} is {ends} and still {_goes(words)}; as it has "
        f"{words.better} of late, half as many epochs again would bring "
        f"{percent(_possible(gain, val, words))} more"
    )
    return {"verdict": "improving", "sentence": sentence}


def falls_steadily(values):
    """Whether each of the last five evaluations is better than the one before.

    That is no chance, also where they are too few to estimate their noise.
    """
    return bool(np.all(np.diff(values[-MIN_EPOCHS:]) < 0))


def _goes(words):
    return "rising" if words.mode == "max" else "falling"


def _possible(gain, val, words):
    """A gain along a straight line, bent so that it stays below what can be gained.

    A loss that was never negative falls as a power law does, never below zero; a
    metric between 0 and 1 comes as close to 1.
    """
    low = float(np.min(val.raw))
    most = None
    if low >= 0:
        most = 1.0
    elif words.mode == "max" and 0 < words.value(low) <= 1:
        most = (1 - words.value(low)) / words.value(low)
    if most is None:
        return gain
    return -most * math.expm1(-gain / most) if most > 0 else 0.0


# Training has brought little, and there is little between the curves that a penalty
# could close.
UNDERFITTING_FALL = 0.30
UNDERFITTING_GAP = 0.20
# Or it has brought somewhat more, and stands still: a loss that no longer depends on
# the order of the batches is that of a network which gives a constant, its weights
# decayed away.
STILL_FALL = 0.40
STILL = 0.001
STILL_SHARE = 0.2
# A short curve that has not come to rest: training loss falls from evaluation to
# evaluation, by so much in the second half.
STILL_FALLING = 0.05


def underfitting(case):
    """Both losses are flat and close together, near where they began."""
    train, val, words = case.whole.train, case.whole.val, case.words
    first, last = train.raw[0], train.smooth[-1]
    # In units of the first value, or of the range where that is zero.
    unit = abs(first) if abs(first) > prechelt.ZERO * np.ptp(train.smooth) else 1.0
    with np.errstate(over="ignore"):  # a first loss next to nothing: infinite
        fall, gap = (first - last) / unit, abs(val.smooth[-1] - last) / unit
    moved = f"not {words.better}"
    if fall > 0:
        moved = f"{words.better} by only {percent(fall)}"
    half = train.raw[len(train) // 2]
    if falls_steadily(train.raw) and half - train.raw[-1] > STILL_FALLING * abs(half):
        return None
    if fall < UNDERFITTING_FALL and gap < UNDERFITTING_GAP:
        why = (
            f"{words.val} is as {_bad(words)} ({words.short(val.smooth[-1])} against "
            f"{words.short(last)})"
        )
    elif fall < STILL_FALL and _stands_still(train, STILL * unit):
        why = f"stands still at {words.short(last)}"
    else:
        return None
    sentence = (
        f"underfitting: {words.train} has {moved} since the first epoch, and {why}"
    )
    return {"verdict": "underfitting", "sentence": sentence}


def _bad(words):
    return "low" if words.mode == "max" else "high"


def _stands_still(series, least):
    """Whether the last values, `MIN_EPOCHS` of them or more, differ by less."""
    tail = series.raw[-max(MIN_EPOCHS, round(STILL_SHARE * len(series))) :]
    return len(series) > MIN_EPOCHS and float(np.ptp(tail)) < least


# Flat: no trend that Mann and Kendall's statistic sees in the last half, and levels
# that differ by less than this.
FLAT = 0.03


def good_fit(case):
    """None of the others."""
    train, val, words = case.curves.train, case.curves.val, case.words
    gap = words.value(val.smooth[-1]) - words.value(train.smooth[-1])
    best = (
        f"{percent(val.rise)} {words.off} its best at epoch {int(val.epochs[val.best])}"
    )
    ends = words.short(val.smooth[-1])
    state = f"{words.val} ends at {ends}, {best}"
    if is_flat(case.last.val):
        state = f"{words.val} has settled at {ends}, {best}"
    elif val.rise > FLAT:
        state += ", no more than it wavers"
    sentence = f"good fit: {state}; gap to {words.train} {gap:.2g}"
    return {"verdict": "good fit", "sentence": sentence}


def is_flat(val):
    """Whether the last half has neither a trend nor levels that differ by 3 %."""
    tail = val.raw[-max(MIN_EPOCHS, len(val) // 2) :]
    levels = smoothing.levels(tail, max(1, len(tail) // 5))
    change = prechelt.relative(np.ptp(levels), levels[-1], val.smooth)
    return bool(abs(order.mann_kendall(tail)) < rise.TREND and change < FLAT)


ALWAYS = (diverged, too_little)
RULES = (
    *ALWAYS,
    rise.overfitting,
    rise.rising,
    improving,
    rise.undecided,
    underfitting,
    rise.still_rising,
    good_fit,
)
