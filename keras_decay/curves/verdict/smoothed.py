"""What the rules of `diagnose` look at: losses, their averages, and their noise."""

import math
from dataclasses import dataclass, replace

import numpy as np

from keras_decay.curves.verdict import prechelt, smoothing

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
        smooth = smoothing.moving_average(values, window)
        return cls(epochs, values, smooth, window, smoothing.noise(values))

    def __len__(self):
        return len(self.raw)

    def since(self, epoch):
        """The part from an epoch on, averaged anew."""
        kept = self.epochs >= epoch
        return Smoothed.of(self.epochs[kept], self.raw[kept])

    @property
    def best(self):
        """The index of the lowest value."""
        return int(np.argmin(self.smooth))

    @property
    def rise(self):
        """From the lowest value to the last, relative to the lowest."""
        return self.relative(self.smooth[-1] - self.smooth[self.best], self.best)

    @property
    def jitter(self):
        """The noise of all values, or of those since the best if it is larger."""
        return max(self.noise, smoothing.noise(self.raw[self.best :]))

    def relative(self, change, index):
        """`change` relative to the loss at `index`."""
        return prechelt.relative(change, self.smooth[index], self.smooth)

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
    columns: tuple = ()

    @classmethod
    def of(cls, train, val, columns=()):
        """From two `Series`; values that are not finite are left out.

        `columns` are the names of all columns that were recorded.
        """
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
        return cls(parts[0], parts[1], exponent, not_finite, tuple(columns))

    def since(self, epoch):
        """The part of both from an epoch on."""
        return replace(self, train=self.train.since(epoch), val=self.val.since(epoch))

    @property
    def lost(self):
        """The rise of the validation loss since its best, as a share of what it gained.

        That is (E_va(end) − min E_va) / (E_tr(0) − min E_va): 0 at its best, 1 where
        training began. The first training loss stands for a network that knows nothing,
        because validation is first measured after an epoch of training. Infinite if the
        validation loss has risen without ever having been below that.
        """
        low = self.val.smooth[self.val.best]
        risen, gained = self.val.smooth[-1] - low, self.train.raw[0] - low
        if gained <= 0:
            return math.inf if risen > 0 else 0.0
        with np.errstate(over="ignore"):  # a gain next to nothing: infinite
            return float(np.float64(risen) / np.float64(gained))
