"""Whether a series has risen, when what is around the rise may wander."""

import math

import numpy as np
from numpy.polynomial import legendre

# A series of a few dozen values cannot show a correlation closer to 1 than this.
MAX_CORRELATION = 0.97
MIN_VALUES = 7
# What a parabola leaves of one, as a share of the largest value.
ROUNDING = 1e-12


def significance(values):
    """By how many standard errors a parabola through the values rises to its end.

    The rise is that of the least-squares parabola from its lowest value among the
    given times to its last one. The errors around it are taken for an autoregression
    of the first order with correlation ρ, which makes the standard error
    √((1 + ρ)/(1 − ρ)) times that of independent errors. ρ is estimated from the
    residuals r_t, and corrected for what the fit takes from it:

        ρ = (n ρ̂ + 3) / (n − 6),   ρ̂ = Σ r_t r_{t−1} / Σ r_t²

    Args:
        values: Array of shape (n,) of finite numbers.

    Returns:
        A float of at least 0: 0 for fewer than 7 values or if the last is the lowest,
        infinite for an exact parabola.
    """
    n = len(values)
    if n < MIN_VALUES:
        return 0.0
    # Orthogonal on the times, so that the errors of the coefficients are independent.
    basis, _ = np.linalg.qr(legendre.legvander(np.linspace(-1, 1, n), 2))
    weights = basis.T @ values
    fitted = basis @ weights
    lowest = int(np.argmin(fitted))
    rise = float(fitted[-1] - fitted[lowest])
    rest = values - fitted
    power = float(rest @ rest)
    if rise <= 0:
        return 0.0
    if power <= n * (ROUNDING * float(np.max(np.abs(values)))) ** 2:
        return math.inf
    correlation = (n * float(rest[1:] @ rest[:-1]) / power + 3) / (n - 6)
    correlation = min(max(correlation, 0.0), MAX_CORRELATION)
    step = basis[-1] - basis[lowest]
    variance = power / (n - 3) * (1 + correlation) / (1 - correlation)
    return rise / math.sqrt(variance * float(step @ step))
