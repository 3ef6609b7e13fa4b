"""The rules of `diagnose`, one function each, in the order in which they are asked.

Every rule takes the `Curves` and returns a dict of fields of the `Diagnosis`, or None
if it does not hold. The numbers it uses stand above it, with their reasons.
"""

import math

import numpy as np

from keras_decay.curves.verdict import prechelt, rise, smoothing, trend

# Training that works never comes back to its first epoch, whose loss is an average over
# the first steps of all. Twice that value is no noise; less must be seen to be none.
DIVERGED_ABOVE_START = 2.0
DIVERGED_ABOVE_ALL = 1.05
DIVERGED_NOISE = 4.0
# A model that had learned something (its loss fell by half) and lost most of it.
DIVERGED_LEARNED = 0.5
DIVERGED_LOST = 0.75


def diverged(curves):
    """The last loss is not finite, or training loss has climbed far up."""
    if curves.not_finite is not None:
        name, epoch = curves.not_finite
        since = f"{name} loss is not finite since epoch {epoch}"
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
            f"diverged: training loss has climbed from {_short(curves, first)} to "
            f"{_short(curves, last)}"
        )
        return {"verdict": "diverged", "sentence": sentence}
    learned = fallen > DIVERGED_LEARNED * abs(first)
    if learned and climbed > max(DIVERGED_LOST * fallen, DIVERGED_NOISE * train.noise):
        sentence = (
            f"diverged: training loss had fallen to {_short(curves, best)} by epoch "
            f"{int(train.epochs[train.best])} and is back at {_short(curves, last)}"
        )
        return {"verdict": "diverged", "sentence": sentence}
    return None


# Below this, three smoothed values hardly differ from one another.
MIN_EPOCHS = 5


def too_little(curves):
    """There is not enough to judge."""
    if not len(curves.val):
        why = _missing(curves, "validation", "val_loss")
    elif not len(curves.train):
        why = _missing(curves, "training", "loss")
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
    if not curves.columns:
        return f"no {kind} loss was recorded"
    shown = ", ".join(map(repr, curves.columns[:_MOST_COLUMNS]))
    more = ", …" if len(curves.columns) > _MOST_COLUMNS else ""
    return f"no {kind} loss is known among {shown}{more}"


# Overfitting is a trade: training gains what validation loses.
TRAIN_FALL = 0.02


def overfitting(curves):
    """Validation loss has turned up while training loss went on falling."""
    train, val = curves.train, curves.val
    known = rise.known_by(curves)
    if known is None:
        return None
    near = val.smooth <= val.smooth[val.best] + val.jitter / math.sqrt(val.window)
    onset = val.epochs[np.flatnonzero(near)[-1]]
    if known == rise.STRICT:
        onset = val.epochs[np.argmin(val.raw)]
    fall = _fall_since(train, onset)
    if known == rise.STRICT and fall < TRAIN_FALL:
        return None
    risen = f"validation loss has risen {_percent(val.rise)} above its best"
    if fall < TRAIN_FALL:
        sentence = (
            f"inconclusive: {risen}, but training loss has not fallen since epoch "
            f"{int(onset)}; a smaller learning rate may help"
        )
        return {"verdict": "inconclusive", "sentence": sentence}
    if known == rise.STRICT:
        risen += ", each evaluation worse than the last,"
    elif known == rise.SIZE and curves.lost < 1:
        risen += f", which takes back {_percent(curves.lost)} of what was learned,"
    sentence = (
        f"overfitting since epoch {int(onset)}: {risen} while training loss fell by "
        f"{_percent(fall)}"
    )
    return {"verdict": "overfitting", "sentence": sentence, "onset_epoch": int(onset)}


# Less than float32 losses can tell from rounding.
NOTHING = 1e-6


def rising(curves):
    """Validation loss rises as it never did before, while training loss falls."""
    train, val = curves.train, curves.val
    is_trade = _fall_since(train, val.epochs[np.argmin(val.raw)]) >= TRAIN_FALL
    return still_rising(curves) if is_trade and rise.is_new(val) else None


def still_rising(curves):
    """Validation loss rises from evaluation to evaluation, by little or in few."""
    train, val = curves.train, curves.val
    count, risen = rise.strict(val)
    is_long = count >= rise.STRICT_RISES and risen > NOTHING
    is_large = count > 1 and risen > rise.STRICT_RISE and rise.is_new(val)
    if not is_long and not is_large:
        return None
    best = val.epochs[np.argmin(val.raw)]
    why = "that is too little to tell overfitting from chance"
    if _fall_since(train, best) < TRAIN_FALL:
        why = "training loss has not fallen since; a smaller learning rate may help"
    sentence = (
        f"inconclusive: validation loss has risen {_percent(risen)} above its best at "
        f"epoch {int(best)}, in each of the last {count} evaluations; {why}"
    )
    return {"verdict": "inconclusive", "sentence": sentence}


def _fall_since(train, epoch):
    """By how much training loss has fallen since an epoch, relative to its loss."""
    index = train.at(epoch)
    return train.relative(train.smooth[index] - train.smooth[-1], index)


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


def improving(curves):
    """Validation loss still falls, so that more epochs would bring it further down."""
    val = curves.val
    slopes = [trend.slope(val.raw, share) for share in IMPROVING_SHARES]
    fall = -float(np.median(slopes)) * math.log(AHEAD)
    gain = val.relative(fall, val.best)
    # The standard error of a slope through n values, times the stretch they cover, is
    # √(12/n) of theirs; over the last third the logarithm grows by that of `AHEAD`.
    tail = smoothing.noise(val.raw[-max(MIN_EPOCHS, len(val) // 2) :])
    error = tail * math.sqrt(12 / max(4, len(val) / 3))
    if gain < IMPROVING_GAIN or fall <= IMPROVING_NOISE * error:
        return None
    if curves.lost > IMPROVING_LOST:
        return None
    late = val.best >= (1 - IMPROVING_SHARES[0]) * len(val)
    if val.rise > IMPROVING_RISE and not late:
        return None
    ends = f"{_percent(val.rise)} above its best" if val.rise > 0.01 else "at its best"
    if np.min(val.raw) >= 0:
        # Along a power law, which falls as steeply now and never below zero.
        gain = -math.expm1(-gain)
    sentence = (
        f"improving: validation loss is {ends} and still falling; as it has "
        f"fallen of late, half as many epochs again would bring {_percent(gain)} more"
    )
    return {"verdict": "improving", "sentence": sentence}


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


def underfitting(curves):
    """Both losses are flat and close together, near where they began."""
    train, val = curves.train, curves.val
    first, last = train.raw[0], train.smooth[-1]
    # In units of the first value, or of the range where that is zero.
    unit = abs(first) if abs(first) > prechelt.ZERO * np.ptp(train.smooth) else 1.0
    with np.errstate(over="ignore"):  # a first loss next to nothing: infinite
        fall, gap = (first - last) / unit, abs(val.smooth[-1] - last) / unit
    moved = f"fallen by only {_percent(fall)}" if fall > 0 else "not fallen"
    if fall < UNDERFITTING_FALL and gap < UNDERFITTING_GAP:
        why = (
            f"validation loss is as high ({_short(curves, val.smooth[-1])} against "
            f"{_short(curves, last)})"
        )
    elif fall < STILL_FALL and _stands_still(train, STILL * unit):
        why = f"stands still at {_short(curves, last)}"
    else:
        return None
    sentence = (
        f"underfitting: training loss has {moved} since the first epoch, and {why}"
    )
    return {"verdict": "underfitting", "sentence": sentence}


def _stands_still(series, least):
    """Whether the last values, `MIN_EPOCHS` of them or more, differ by less."""
    tail = series.raw[-max(MIN_EPOCHS, round(STILL_SHARE * len(series))) :]
    return len(series) > MIN_EPOCHS and float(np.ptp(tail)) < least


def good_fit(curves):
    """None of the others."""
    train, val = curves.train, curves.val
    gap = curves.unscaled(val.smooth[-1]) - curves.unscaled(train.smooth[-1])
    best = f"{_percent(val.rise)} above its best at epoch {int(val.epochs[val.best])}"
    ends = _short(curves, val.smooth[-1])
    if val.rise > rise.RISE:
        # `overfitting` has found that this is noise.
        state = f"validation loss ends at {ends}, {best}, no more than it wavers"
    else:
        state = f"validation loss has settled at {ends}, {best}"
    sentence = f"good fit: {state}; gap to training loss {gap:.2g}"
    return {"verdict": "good fit", "sentence": sentence}


RULES = (
    diverged,
    too_little,
    overfitting,
    rising,
    improving,
    underfitting,
    still_rising,
    good_fit,
)


def _percent(fraction):
    percent = 100 * fraction
    digits = 0 if abs(percent) >= 9.95 else 1
    return f"{percent:.{digits}f} %"


def _short(curves, value):
    return f"{curves.unscaled(value):.3g}"
