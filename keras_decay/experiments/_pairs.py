"""Which differences are significant, all being measured on the same splits."""

import numpy as np

LEVEL = 0.05


def compared(losses):
    """Compares everything with what has the lowest mean.

    Differences are paired over splits: Student's t on them, and p-values as Holm (1979)
    corrects them for the number of comparisons. The splits share rows, so p-values are
    somewhat too small; and what is best is told by the same losses.

    Args:
        losses: Dict of arrays with one loss for each split.

    Returns:
        Dict from the same names to dicts: `difference`, of the means; `p`, None for the
        best itself; `words`, one of "best", "worse" and "not significant".
    """
    from scipy.stats import ttest_rel

    means = {name: float(np.mean(values)) for name, values in losses.items()}
    best = min(means, key=lambda name: means[name])
    others = [name for name in losses if name != best]
    raw = {name: _p(ttest_rel, losses[name], losses[best]) for name in others}
    corrected = _holm(raw)
    found = {best: {"difference": 0.0, "p": None, "words": "best"}}
    for name in others:
        worse = corrected[name] < LEVEL
        found[name] = {
            "difference": means[name] - means[best],
            "p": corrected[name],
            "words": "worse" if worse else "not significant",
        }
    return {name: found[name] for name in losses}


def _p(test, first, second):
    if np.ptp(np.subtract(first, second)) == 0:  # without spread there is no test
        return 1.0 if np.array_equal(first, second) else 0.0
    return float(test(first, second).pvalue)


def _holm(raw):
    """p-values corrected for their number, by name."""
    corrected, largest = {}, 0.0
    for rank, name in enumerate(sorted(raw, key=lambda name: raw[name])):
        largest = max(largest, min(1.0, (len(raw) - rank) * raw[name]))
        corrected[name] = largest
    return corrected
