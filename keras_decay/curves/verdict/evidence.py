"""What a curve tells of a rise since its best: the measures of `probability`."""

import math
from dataclasses import dataclass

import numpy as np

from keras_decay.curves.verdict import order, prechelt, smoothing

# A level is a mean over a tenth of the evaluations, a single one of fewer than 20.
LEVEL = 10
# So many rises in succession, from the lowest value of all to the last one, are no
# chance: n values in random order end so once in 24 n times. Where losses of successive
# epochs are correlated they are likelier, so they must exceed any rise undone before.
STRICT_RISES = 4
STRICT_RISE = 0.01


@dataclass(frozen=True)
class Evidence:
    """Measures of a validation loss v and a training loss t, free of their unit.

    Levels are means over a tenth of the evaluations; the best is the lowest level.

    Attributes:
        best: Index of the first evaluation of the best level.
        rise: From the best level to the last, relative to the best.
        lost: The same as a share of what was gained, t(0) − best; at most 10.
        fall: By how much the training loss has fallen since the best, relative to it.
        trend: The Mann-Kendall statistic of the losses since the lowest.
        error: The standard error of a level by the jitter from evaluation to evaluation
            since the best, likewise.
        wander: The standard error of a level where losses wander, likewise: from what
            the best fit of a fall and a rise leaves, and its autocorrelation; of 20
            evaluations or more, else 0.
        stays: How far the lowest loss in the second half since the best lies above the
            best level, likewise.
        undone: The largest rise before the lowest loss, relative to the best level.
        rises: In how many evaluations, up to the last, the loss has risen since the
            lowest, if in all of them; else 0.
        climb: From the lowest loss to the last one, relative to the lowest.
    """

    best: int
    rise: float
    lost: float
    fall: float
    trend: float
    error: float
    wander: float
    stays: float
    undone: float
    rises: int
    climb: float

    @classmethod
    def of(cls, train, val):
        """From two series `Smoothed`, each with a value or more."""
        values = val.raw
        length = max(1, len(values) // LEVEL)
        levels = smoothing.levels(values, length)
        best = int(np.argmin(levels))
        low, end = levels[best], levels[-1]

        def relative(change):
            return prechelt.relative(change, low, values)

        lowest = int(np.argmin(values))
        before, after = values[: lowest + 1], values[lowest:]
        noise, correlation = order.left_by_a_turn(values)
        # Second differences of fewer than four values tell little.
        jitter = smoothing.noise(values[min(best, len(values) - 4) :])
        is_long = len(values) >= 2 * LEVEL
        inflated = (1 + correlation) / (1 - correlation)
        strictly = bool(np.all(np.diff(after) > 0))
        last = float(np.mean(train.raw[-length:]))
        first = train.at(val.epochs[best])
        at_best = float(np.mean(train.raw[first : first + length]))
        return cls(
            best=best,
            rise=relative(end - low),
            lost=_lost(end - low, train.raw[0] - low),
            fall=prechelt.relative(at_best - last, at_best, train.raw),
            trend=order.mann_kendall(after),
            error=relative(jitter) / math.sqrt(length),
            wander=relative(noise) * math.sqrt(inflated / length) * is_long,
            stays=relative(np.min(after[len(after) // 2 :]) - low),
            undone=relative(np.max(before - np.minimum.accumulate(before))),
            rises=len(after) - 1 if strictly else 0,
            climb=prechelt.relative(after[-1] - after[0], after[0], values),
        )

    @property
    def is_strict(self):
        """Whether each of the last evaluations was worse than the one before."""
        return (
            self.rises >= STRICT_RISES
            and self.climb > STRICT_RISE
            and self.climb > self.undone
        )


# A rise is not told in more than so many times what was gained.
MOST_LOST = 10.0


def _lost(risen, gained):
    if risen <= 0:
        return 0.0
    return float(risen / gained) if gained > risen / MOST_LOST else MOST_LOST
