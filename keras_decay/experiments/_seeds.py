"""What a few seeds allow to be said: means, and intervals by Student's t."""

import numpy as np


def mean_and_interval(values, level=0.95):
    """The mean over seeds, and half the width of its confidence interval.

    Args:
        values: One number for each seed; NaN for those that have none.
        level: The confidence.

    Returns:
        (mean, half width), NaN where fewer than one or two numbers are there.
    """
    from scipy.stats import t

    known = np.asarray(values, "float64")
    known = known[np.isfinite(known)]
    if not len(known):
        return float("nan"), float("nan")
    if len(known) == 1:
        return float(known[0]), float("nan")
    error = known.std(ddof=1) / np.sqrt(len(known))
    width = t.ppf(0.5 + level / 2, len(known) - 1) * error
    return float(known.mean()), float(width)


def interval_text(interval):
    """A mean and half the width of its interval, with a sign."""
    mean, half = interval
    if not np.isfinite(mean):
        return "unknown"
    return f"{mean:+.2f} ± {half:.2f}" if np.isfinite(half) else f"{mean:+.2f}"
