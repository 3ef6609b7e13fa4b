"""Tests for a rise by the order of the values: they know short and curved series.

References: Mann, Nonparametric tests against trend, 1945; Hamed and Rao, A modified
Mann-Kendall trend test for autocorrelated data, 1998; Ayer and others, An empirical
distribution function for sampling with incomplete information, 1955, for the pooling
of adjacent violators.
"""

import math

import numpy as np

from keras_decay.curves.verdict import smoothing

# Means of blocks stand for longer series, so that 10,000 epochs cost as 100 do.
MOST_VALUES = 100
# Fewer values cannot show an autocorrelation.
MIN_CORRELATED = 8
INTERVAL = 1.96
MOST_CORRELATION = 0.9
# Of an exact fit only rounding is left, as a share of the squared values.
ROUNDING = 1e-18


def mann_kendall(values):
    """The Mann-Kendall statistic of a rise, corrected for autocorrelation.

        z = (S − sign S) / √(c n (n − 1)(2n + 5) / 18),   S = Σ_{i<j} sign(v_j − v_i)
        c = 1 + 2 / (n (n − 1)(n − 2)) Σ_k (n − k)(n − k − 1)(n − k − 2) ρ_k

    ρ_k are the autocorrelations of the ranks of the values less Sen's line, where they
    exceed 1.96 / √n, up to a quarter of the length. c is at least 1, and 1 for fewer
    than 8 values.

    Args:
        values: Array of shape (n,) of finite numbers.

    Returns:
        A float: normal under no trend, positive for a rise, 0 for fewer than 3 values.
    """
    values = smoothing.thinned(values, MOST_VALUES)
    n = len(values)
    if n < 3:
        return 0.0
    first, second = np.triu_indices(n, 1)
    steps = values[second] - values[first]
    score = float(np.sum(np.sign(steps)))
    line = float(np.median(steps / (second - first)))
    correction = 1.0
    if n >= MIN_CORRELATED:
        correction = _correction(values - line * np.arange(n))
    variance = correction * n * (n - 1) * (2 * n + 5) / 18
    return (score - np.sign(score)) / math.sqrt(variance)


def _correction(rest):
    n = len(rest)
    ranks = np.argsort(np.argsort(rest)) - (n - 1) / 2
    total = 0.0
    for lag in range(1, n // 4 + 1):
        correlation = float(ranks[lag:] @ ranks[:-lag] / (ranks @ ranks))
        if abs(correlation) > INTERVAL / math.sqrt(n):
            total += (n - lag) * (n - lag - 1) * (n - lag - 2) * correlation
    return max(1.0, 1 + 2 * total / (n * (n - 1) * (n - 2)))


def rising(values):
    """The least-squares fit that never falls: adjacent values that fall are pooled."""
    means: list = []
    counts: list = []
    for value in values:
        means.append(float(value))
        counts.append(1)
        while len(means) > 1 and means[-2] > means[-1]:
            mean, count = means.pop(), counts.pop()
            both = counts[-1] + count
            means[-1] += (mean - means[-1]) * count / both
            counts[-1] = both
    return np.repeat(means, counts)


def left_by_a_turn(values):
    """What the best fit of "falls to its lowest, then rises" leaves of a series.

    It is a least-squares fit under the order alone, so that curvature does not count as
    noise.

    Args:
        values: Array of shape (n,) of finite numbers, n ≥ 1.

    Returns:
        The standard deviation of what is left, and its autocorrelation from one value
        to the next, at least 0.
    """
    values = smoothing.thinned(values, MOST_VALUES)
    lowest = int(np.argmin(values))
    turns = np.concatenate([-rising(-values[:lowest]), rising(values[lowest:])])
    rest = values - turns
    left = float(np.sum(rest**2))
    if left <= ROUNDING * float(np.sum(values**2)):
        return 0.0, 0.0
    # The fit takes from it: a standard error of a correlation, by made curves.
    correlation = float(rest[1:] @ rest[:-1]) / left + 1 / math.sqrt(len(values))
    deviation = math.sqrt(left / max(1, len(values) - 2))
    return deviation, min(max(correlation, 0.0), MOST_CORRELATION)
