"""Whether validation loss has risen since its best, or only wanders."""

import math

import numpy as np

from keras_decay.curves.verdict import prechelt
from keras_decay.curves.verdict import trend as _trend

# Prechelt stops at GL between 1 % and 5 %; a verdict should be surer than a stop: a few
# hundred rows of validation differ from all others by as much. So much is left of the
# rise when three of its standard errors are taken away. Validation losses of successive
# epochs are correlated, and a short series of such wanders one way more often than not;
# the errors allow for that (`_trend`).
RISE = 0.07
ERRORS = 3.0
# In standard errors of the smoothed end: the lowest of many noisy values lies two to
# three of them below the level of a flat curve without meaning anything.
NOISE = 4.0
# Slow wandering, which second differences do not see, shows as rises that were undone
# again. A rise that counts is twice as large as nearly all of those.
WANDER = 2.0
WANDER_QUANTILE = 0.9
# A large rise, which also takes back so much of what had been learned, needs less to be
# believed. Of all labelled curves but a few good fits had both.
LARGE = 0.12
LARGE_LOST = 0.12
# It is smooth: so many times the jitter from epoch to epoch. A loss that wanders within
# its range, and does not go its way, is jagged on the scale of its rises.
SMOOTH = 25.0
# Or else the scatter around it is mere jitter, uncorrelated between epochs, for long
# enough to tell: then its standard errors can be trusted as they are.
UNCORRELATED = 0.35
LONG = 30


# So many rises in succession, from the lowest value of all to the last one, are no
# chance: n values in random order end so once in 24 n times. Where losses of successive
# epochs are correlated they are likelier, so they must exceed any rise undone before.
STRICT_RISES = 4
STRICT_RISE = 0.01

# How it is known that validation loss has risen.
TREND, SIZE, STRICT = "trend", "size", "strict"


def known_by(curves):
    """How it is known that validation loss has risen since its best, or None."""
    known = _by_noise(curves)
    if known is None:
        count, risen = strict(curves.val)
        if count >= STRICT_RISES and risen > STRICT_RISE and is_new(curves.val):
            return STRICT
    return known


def strict(val):
    """In how many evaluations the loss has risen, each worse than the last.

    Returns:
        Their number, 0 unless the loss has risen in all since its lowest value; and how
        far the last one lies above that, relative to it.
    """
    best = int(np.argmin(val.raw))
    after = val.raw[best:]
    if not np.all(np.diff(after) > 0):
        return 0, 0.0
    risen = prechelt.relative(after[-1] - after[0], after[0], val.raw)
    return len(after) - 1, risen


def is_new(val):
    """Whether no rise before the lowest value was as large as the one since."""
    best = int(np.argmin(val.raw))
    before = val.raw[: best + 1]
    undone = np.max(before - np.minimum.accumulate(before))
    return bool(val.raw[-1] - val.raw[best] > undone)


def _by_noise(curves):
    """`TREND` or `SIZE`, where the rise is more than the noise around it; or None."""
    val = curves.val
    climbed = val.smooth[-1] - val.smooth[val.best]
    # At the end half of the window is cut off.
    if climbed <= NOISE * val.jitter / math.sqrt((val.window + 1) / 2):
        return None
    after = val.raw[val.best :]
    trend = _trend.trend(after)
    if trend.errors > ERRORS:
        surely = val.rise * (1 - ERRORS / trend.errors)
        if surely > RISE and climbed > WANDER * _wander(val):
            return TREND
    if val.rise < LARGE or curves.lost < LARGE_LOST:
        return None
    jumps = trend.correlation < UNCORRELATED and len(after) >= LONG
    if climbed > SMOOTH * val.jitter or (jumps and trend.errors > ERRORS):
        return SIZE
    return None


def _wander(val):
    """How far the smoothed loss strays from falling to its best and rising since."""
    falling, rising = val.smooth[: val.best + 1], val.smooth[val.best :]
    risen = falling - np.minimum.accumulate(falling)
    fallen = np.maximum.accumulate(rising) - rising
    return max(float(np.quantile(one, WANDER_QUANTILE)) for one in (risen, fallen))
