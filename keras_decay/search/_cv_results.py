"""`cv_results_`: scores by candidate and fold in scikit-learn's form."""

from typing import Any

import numpy as np
from scipy.stats import rankdata


def cv_results(candidates, scores, fit_times, score_times):
    """The dict `cv_results_`.

    Args:
        candidates: List of dicts.
        scores: Dict from names of scores to arrays of shape (candidates, folds).
        fit_times, score_times: Arrays of the same shape, in seconds.

    Returns:
        A dict with scikit-learn's keys, and `se_test_…`, the standard error
        sd(ddof=1)/√folds.
    """
    results = {}
    for what, times in (("fit", fit_times), ("score", score_times)):
        results[f"mean_{what}_time"] = times.mean(axis=1)
        results[f"std_{what}_time"] = times.std(axis=1)
    for name in dict.fromkeys(name for one in candidates for name in one):
        results[f"param_{name}"] = _column(candidates, name)
    results["params"] = [dict(candidate) for candidate in candidates]
    for called, values in scores.items():
        for fold in range(values.shape[1]):
            results[f"split{fold}_test_{called}"] = values[:, fold].copy()
        results[f"mean_test_{called}"] = values.mean(axis=1)
        results[f"std_test_{called}"] = values.std(axis=1)
        results[f"se_test_{called}"] = standard_errors(values)
        results[f"rank_test_{called}"] = _ranks(values.mean(axis=1))
    return results


def standard_errors(values):
    """sd(ddof=1)/√folds of each row; NaN where there is a single fold."""
    folds = values.shape[1]
    if folds < 2:
        return np.full(len(values), np.nan)
    return values.std(axis=1, ddof=1) / np.sqrt(folds)


def _column(candidates, name):
    """The values of a parameter, masked for candidates that have none."""
    values = [one[name] for one in candidates if name in one]
    kinds = {type(value) for value in values}
    dtype: Any = object
    if kinds <= {int} or kinds <= {bool} or kinds <= {int, float}:
        dtype = np.result_type(*kinds)
    column = np.ma.MaskedArray(np.empty(len(candidates), dtype), mask=True)
    for i, one in enumerate(candidates):
        if name in one:
            column[i] = one[name]
    return column


def _ranks(means):
    """1 for the highest; NaN ranks last."""
    if np.isnan(means).all():
        return np.ones(len(means), "int32")
    lowest = np.nanmin(means) - 1
    filled = np.where(np.isnan(means), lowest, means)
    return rankdata(-filled, method="min").astype("int32")
