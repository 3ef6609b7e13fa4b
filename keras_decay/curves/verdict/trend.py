"""The slope of a series at its end."""

import numpy as np

from keras_decay.curves.verdict import smoothing

# The slope is a median over all pairs of values: so many of them at most, means of what
# they stand for, keep a curve of 10,000 epochs as quick as one of 100.
MOST_VALUES = 64


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
    x, y = (smoothing.thinned(one[-count:], MOST_VALUES) for one in (logs, values))
    first, second = np.triu_indices(len(y), 1)
    return float(np.median((y[second] - y[first]) / (x[second] - x[first])))
