"""Whether a series has risen, when what is around the rise may wander, and its way."""

import math
from typing import NamedTuple

import numpy as np

# A series of a few dozen values cannot show a correlation closer to 1 than this.
MAX_CORRELATION = 0.97
MIN_VALUES = 7
# A rise may go on as a parabola, or come to rest, by a factor of e in these shares of
# the time.
RESTS = (1 / 20, 1 / 10, 1 / 5)
# Of an exact fit only rounding is left, as a share of the largest value.
ROUNDING = 1e-12
# The slope is a median over all pairs of values: so many of them at most, means of what
# they stand for, keep a curve of 10,000 epochs as quick as one of 100.
MOST_VALUES = 64


class Trend(NamedTuple):
    """By how many standard errors a series rises, and how its residuals correlate."""

    errors: float
    correlation: float


def trend(values):
    """The rise to the end of a curve through the values, in standard errors.

    The curve is the least-squares one of a + b t + c t² and a + b t + c exp(−t/τ), for
    three τ, that comes closest. Its rise is that from its lowest value among the given
    times to its last one. The errors around it are taken for an autoregression of the
    first order with correlation ρ, which makes the standard error √((1 + ρ)/(1 − ρ))
    times that of independent errors. ρ is estimated from the residuals r_t, and
    corrected for what the fit takes from it:

        ρ = (n ρ̂ + 3) / (n − 6),   ρ̂ = Σ r_t r_{t−1} / Σ r_t²

    Args:
        values: Array of shape (n,) of finite numbers.

    Returns:
        A `Trend`: `errors`, a float of at least 0, 0 for fewer than 7 values or if the
        last is the lowest, infinite for an exact fit; and `correlation`, ρ̂ itself, 1
        where there are no errors to tell it by.
    """
    n = len(values)
    if n < MIN_VALUES:
        return Trend(0.0, 1.0)
    t = np.linspace(0, 1, n)
    fits = [_fit(values, t, bend) for bend in (t**2, *(np.exp(-t / r) for r in RESTS))]
    basis, fitted, power = min(fits, key=lambda fit: fit[2])
    rest = values - fitted
    lowest = int(np.argmin(fitted))
    rise = float(fitted[-1] - fitted[lowest])
    rounding = ROUNDING * float(np.max(np.abs(values)))
    if rise <= rounding:
        return Trend(0.0, 1.0)
    if power <= n * rounding**2:
        return Trend(math.inf, 1.0)
    measured = float(rest[1:] @ rest[:-1]) / power
    correlation = min(max((n * measured + 3) / (n - 6), 0.0), MAX_CORRELATION)
    step = basis[-1] - basis[lowest]
    variance = power / (n - 3) * (1 + correlation) / (1 - correlation)
    return Trend(rise / math.sqrt(variance * float(step @ step)), measured)


def slope(values, share):
    """The slope of the last values against the logarithm of their number.

    The median of the slopes between all pairs (Theil 1950, Sen 1968), which single
    jumps do not move. A loss that falls as a power of the time, as most do for long,
    is straight against that logarithm but for its curvature; one that comes to rest
    is flat at its end.

    Args:
        values: Array of shape (n,), n ≥ 4.
        share: The share of all values, from the end, that is looked at: at least 4.

    Returns:
        A float: the change of the values for every factor of e in their number.
    """
    count = max(4, round(share * len(values)))
    logs = np.log(np.arange(1, len(values) + 1.0))
    x, y = (_thinned(one[-count:]) for one in (logs, values))
    first, second = np.triu_indices(len(y), 1)
    return float(np.median((y[second] - y[first]) / (x[second] - x[first])))


def _thinned(values):
    """Means of blocks of equal length; what does not fill one at the start is left."""
    block = -(-len(values) // MOST_VALUES)
    return values[len(values) % block :].reshape(-1, block).mean(axis=1)


def _fit(values, t, bend):
    """An orthonormal basis of 1, t and `bend`, the fit by it, and the squared error."""
    basis, _ = np.linalg.qr(np.stack([np.ones_like(t), t, bend], axis=1))
    fitted = basis @ (basis.T @ values)
    return basis, fitted, float(np.sum((values - fitted) ** 2))
