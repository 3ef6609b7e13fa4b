"""Whether a series has risen, when what is around the rise may wander."""

import math

import numpy as np

# A series of a few dozen values cannot show a correlation closer to 1 than this.
MAX_CORRELATION = 0.97
MIN_VALUES = 7
# A rise may go on as a parabola, or come to rest, by a factor of e in these shares of
# the time.
RESTS = (1 / 20, 1 / 10, 1 / 5)
# Of an exact fit only rounding is left, as a share of the largest value.
ROUNDING = 1e-12


def significance(values):
    """By how many standard errors a curve through the values rises to its end.

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
        A float of at least 0: 0 for fewer than 7 values or if the last is the lowest,
        infinite for an exact fit.
    """
    n = len(values)
    if n < MIN_VALUES:
        return 0.0
    t = np.linspace(0, 1, n)
    fits = [_fit(values, t, bend) for bend in (t**2, *(np.exp(-t / r) for r in RESTS))]
    basis, fitted, power = min(fits, key=lambda fit: fit[2])
    rest = values - fitted
    lowest = int(np.argmin(fitted))
    rise = float(fitted[-1] - fitted[lowest])
    rounding = ROUNDING * float(np.max(np.abs(values)))
    if rise <= rounding:
        return 0.0
    if power <= n * rounding**2:
        return math.inf
    correlation = (n * float(rest[1:] @ rest[:-1]) / power + 3) / (n - 6)
    correlation = min(max(correlation, 0.0), MAX_CORRELATION)
    step = basis[-1] - basis[lowest]
    variance = power / (n - 3) * (1 + correlation) / (1 - correlation)
    return rise / math.sqrt(variance * float(step @ step))


def _fit(values, t, bend):
    """An orthonormal basis of 1, t and `bend`, the fit by it, and the squared error."""
    basis, _ = np.linalg.qr(np.stack([np.ones_like(t), t, bend], axis=1))
    fitted = basis @ (basis.T @ values)
    return basis, fitted, float(np.sum((values - fitted) ** 2))
