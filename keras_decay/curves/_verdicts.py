"""The rules of `diagnose`, one function each, in the order in which they are asked.

Every rule takes the `Curves` and returns a dict of fields of the `Diagnosis`, or None
if it does not hold. The numbers it uses stand above it, with their reasons.
"""

import math
from dataclasses import dataclass

import numpy as np

from keras_decay.curves import _prechelt, _smoothing, _trend

# Epochs averaged, as a share of all: enough to see past the jitter of single epochs,
# and short against any turn that matters. At least 3, else nothing is averaged.
WINDOW = 0.05
MIN_WINDOW = 3


@dataclass(frozen=True)
class Smoothed:
    """A series of finite losses, in units of the largest one, and its average."""

    epochs: np.ndarray
    raw: np.ndarray
    smooth: np.ndarray
    window: int
    noise: float

    @classmethod
    def of(cls, epochs, values):
        window = max(MIN_WINDOW, round(WINDOW * len(values)))
        smooth = _smoothing.moving_average(values, window)
        return cls(epochs, values, smooth, window, _smoothing.noise(values))

    def __len__(self):
        return len(self.raw)

    @property
    def best(self):
        """The index of the lowest value."""
        return int(np.argmin(self.smooth))

    @property
    def rise(self):
        """From the lowest value to the last, relative to the lowest."""
        return self.relative(self.smooth[-1] - self.smooth[self.best], self.best)

    def relative(self, change, index):
        """`change` relative to the loss at `index`."""
        return _prechelt.relative(change, self.smooth[index], self.smooth)

    def at(self, epoch):
        """The index of the last value recorded up to `epoch`."""
        return max(int(np.searchsorted(self.epochs, epoch, side="right")) - 1, 0)


@dataclass(frozen=True)
class Curves:
    """Training and validation loss in one unit, and when they ceased to be finite."""

    train: Smoothed
    val: Smoothed
    exponent: int
    not_finite: tuple | None

    @classmethod
    def of(cls, train, val):
        """From two `Series`; values that are not finite are left out."""
        not_finite = None
        for name, one in (("training", train), ("validation", val)):
            bad = ~np.isfinite(one.values)
            if len(one) and bad[-1] and not_finite is None:
                good = np.flatnonzero(~bad)
                first = good[-1] + 1 if len(good) else 0
                not_finite = (name, int(one.epochs[first]))
        kept = [np.isfinite(one.values) for one in (train, val)]
        largest = max(
            (
                float(np.max(np.abs(one.values[keep]), initial=0.0))
                for one, keep in zip((train, val), kept, strict=True)
            ),
        )
        # A power of two: exact, and nothing overflows afterwards.
        exponent = math.frexp(largest)[1]
        parts = [
            Smoothed.of(one.epochs[keep], np.ldexp(one.values[keep], -exponent))
            for one, keep in zip((train, val), kept, strict=True)
        ]
        return cls(parts[0], parts[1], exponent, not_finite)

    def unscaled(self, value):
        """`value` in the unit of the loss."""
        with np.errstate(over="ignore"):
            return float(np.ldexp(value, self.exponent))


# Training that works never comes back to its first epoch, whose loss is an average over
# the first steps of all. Twice that value is no noise; less must be seen to be none.
DIVERGED_ABOVE_START = 2.0
DIVERGED_ABOVE_ALL = 1.05
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
        (DIVERGED_ABOVE_ALL - 1) * unit, RISE_NOISE * train.noise
    ) and np.all(train.raw[1:] > first)
    if jump > (DIVERGED_ABOVE_START - 1) * unit > 0 or never_back:
        sentence = (
            f"diverged: training loss has climbed from {_short(curves, first)} to "
            f"{_short(curves, last)}"
        )
        return {"verdict": "diverged", "sentence": sentence}
    learned = fallen > DIVERGED_LEARNED * abs(first)
    if learned and climbed > max(DIVERGED_LOST * fallen, RISE_NOISE * train.noise):
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
        why = "no validation loss was recorded"
    elif not len(curves.train):
        why = "no training loss was recorded"
    elif len(curves.val) < MIN_EPOCHS:
        count = len(curves.val)
        epochs = "1 epoch" if count == 1 else f"{count} epochs"
        why = f"{epochs} with validation cannot be judged, {MIN_EPOCHS} are needed"
    else:
        return None
    return {"verdict": "inconclusive", "sentence": f"inconclusive: {why}"}


# Prechelt stops at GL between 1 % and 5 %; a verdict should be surer than a stop: a few
# hundred rows of validation differ from all others by as much. So much is left of the
# rise when three of its standard errors are taken away. Validation
# losses of successive epochs are correlated, and a short series of such wanders one way
# more often than not; the errors allow for that (`_trend`).
RISE = 0.07
RISE_ERRORS = 3.0
# In standard errors of the smoothed end: the lowest of many noisy values lies two to
# three of them below the level of a flat curve without meaning anything.
RISE_NOISE = 4.0
# Slow wandering, which second differences do not see, shows as rises that were undone
# again. A rise that counts is twice as large as nearly all of those.
RISE_WANDER = 2.0
WANDER_QUANTILE = 0.9
# Overfitting is a trade: training gains what validation loses.
TRAIN_FALL = 0.02


def overfitting(curves):
    """Validation loss has turned up while training loss went on falling."""
    train, val = curves.train, curves.val
    after = max(val.noise, _smoothing.noise(val.raw[val.best :]))
    climbed = val.smooth[-1] - val.smooth[val.best]
    # At the end half of the window is cut off.
    error = after / math.sqrt((val.window + 1) / 2)
    needed = max(RISE_NOISE * error, RISE_WANDER * _wander(val))
    if climbed <= needed or not _surely_risen(val):
        return None
    near = val.smooth <= val.smooth[val.best] + after / math.sqrt(val.window)
    onset = val.epochs[np.flatnonzero(near)[-1]]
    index = train.at(onset)
    fall = train.relative(train.smooth[index] - train.smooth[-1], index)
    risen = f"validation loss has risen {_percent(val.rise)} above its best"
    if fall < TRAIN_FALL:
        sentence = (
            f"inconclusive: {risen}, but training loss has not fallen since epoch "
            f"{int(onset)}; a smaller learning rate may help"
        )
        return {"verdict": "inconclusive", "sentence": sentence}
    sentence = (
        f"overfitting since epoch {int(onset)}: {risen} while training loss fell by "
        f"{_percent(fall)}"
    )
    return {"verdict": "overfitting", "sentence": sentence, "onset_epoch": int(onset)}


def _surely_risen(val):
    """Whether even the lower end of what the rise may be is one that matters."""
    errors = _trend.significance(val.raw[val.best :])
    return errors > RISE_ERRORS and val.rise * (1 - RISE_ERRORS / errors) > RISE


def _wander(val):
    """How far the smoothed loss strays from falling to its best and rising since."""
    falling, rising = val.smooth[: val.best + 1], val.smooth[val.best :]
    risen = falling - np.minimum.accumulate(falling)
    fallen = np.maximum.accumulate(rising) - rising
    return max(float(np.quantile(one, WANDER_QUANTILE)) for one in (risen, fallen))


# A tenth more epochs is what one would spend on a gain of a hundredth.
IMPROVING_SHARE = 0.10
IMPROVING_FALL = 0.01
IMPROVING_NOISE = 2.0


def improving(curves):
    """Validation loss is at its best and still falls."""
    val = curves.val
    block = max(2, round(IMPROVING_SHARE * len(val)))
    last = float(np.mean(val.raw[-block:]))
    before = float(np.mean(val.raw[-2 * block : -block]))
    # Of the end alone: at the beginning the fall itself is curved like noise.
    tail = _smoothing.noise(val.raw[-3 * block :])
    error = min(val.noise, tail) * math.sqrt(2 / block)
    fall = val.relative(before - last, val.best)
    at_the_end = val.best >= len(val) - 2 * block
    if not at_the_end or fall < IMPROVING_FALL:
        return None
    if before - last <= IMPROVING_NOISE * error:
        return None
    span = int(val.epochs[-1] - val.epochs[-1 - block])
    sentence = (
        f"improving: validation loss is at its best and still falling, by "
        f"{_percent(fall)} over the last {span} epochs"
    )
    return {"verdict": "improving", "sentence": sentence}


# Training has brought next to nothing, and there is nothing between the curves that a
# penalty could close.
UNDERFITTING_FALL = 0.125
UNDERFITTING_GAP = 0.125
# Or it has brought little, and stands still: a loss that no longer depends on the order
# of the batches is that of a network which gives a constant, its weights decayed away.
STILL_FALL = 0.25
STILL = 0.001
STILL_SHARE = 0.2


def underfitting(curves):
    """Both losses are flat and close together, near where they began."""
    train, val = curves.train, curves.val
    first, last = train.raw[0], train.smooth[-1]
    # In units of the first value, or of the range where that is zero.
    unit = abs(first) if abs(first) > _prechelt.ZERO * np.ptp(train.smooth) else 1.0
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
    if val.rise > RISE:
        # `overfitting` has found that this is noise.
        state = f"validation loss ends at {ends}, {best}, no more than it wavers"
    else:
        state = f"validation loss has settled at {ends}, {best}"
    sentence = f"good fit: {state}; gap to training loss {gap:.2g}"
    return {"verdict": "good fit", "sentence": sentence}


RULES = (diverged, too_little, overfitting, improving, underfitting, good_fit)


def _percent(fraction):
    percent = 100 * fraction
    digits = 0 if abs(percent) >= 9.95 else 1
    return f"{percent:.{digits}f} %"


def _short(curves, value):
    return f"{curves.unscaled(value):.3g}"
