"""Centred moving averages, and the noise that they leave."""

import numpy as np

# The standard deviation of a normal variable over its median absolute deviation.
_NORMAL = 1.4826


def moving_average(values, window):
    """The mean over a centred window, which is cut off at both ends.

    With an even window the later half is the longer one, by one value.

    Args:
        values: Array of shape (n,).
        window: Length of the window in values, at least 1.

    Returns:
        Array of shape (n,).
    """
    values = np.asarray(values, dtype=float)
    before, after = (window - 1) // 2, window // 2
    index = np.arange(len(values))
    first = np.maximum(index - before, 0)
    last = np.minimum(index + after + 1, len(values))
    # Sums of the differences to one value: a constant stays exactly what it is.
    origin = values[0] if len(values) else 0.0
    sums = np.concatenate(([0.0], np.cumsum(values - origin)))
    return origin + (sums[last] - sums[first]) / (last - first)


def noise(values):
    """The standard deviation of the jitter from epoch to epoch, whatever the trend.

    From second differences, v[t−1] − 2v[t] + v[t+1], whose variance is six times that
    of independent noise, and which a straight trend leaves at zero. The median keeps
    single jumps out.
    """
    if len(values) < 3:
        return 0.0
    second = np.abs(np.diff(values, n=2))
    return float(_NORMAL * np.median(second) / np.sqrt(6))


def thinned(values, most):
    """Means of blocks of equal length, `most` of them or fewer.

    Values at the start that do not fill a block are left out.
    """
    block = max(1, -(-len(values) // most))
    return values[len(values) % block :].reshape(-1, block).mean(axis=1)


def levels(values, length):
    """Means over `length` values in succession."""
    return np.convolve(values, np.full(length, 1 / length), mode="valid")
