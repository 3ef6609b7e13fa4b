"""Prechelt's criteria of early stopping, as pure functions of losses.

Reference: Prechelt, Early stopping, but when?, 1998. Changes relative to a loss are
relative to its size; where that is zero, to the range of all.
"""

import numpy as np

# Prechelt's own: he measured every fifth epoch.
STRIP = 5
# A loss that has come this close to zero, as a share of its range, is zero: it is no
# scale for relative changes.
ZERO = 1e-6


def relative(change, level, values):
    """`change` relative to `level`, one of `values`."""
    span = float(np.ptp(values))
    unit = abs(level) if abs(level) > ZERO * span else span
    return float(change / unit) if unit > 0 else 0.0


def generalisation_loss(val):
    """GL(t) = 100 (E_va(t) / min_{s ≤ t} E_va(s) − 1) at the last t, in percent."""
    best = float(np.min(val))
    return 100 * relative(val[-1] - best, best, val)


def progress(train, strip=STRIP):
    """P_k(t) = 1000 (mean of the last k E_tr / their minimum − 1), per mille."""
    last = train[-strip:]
    best = float(np.min(last))
    return 1000 * relative(np.mean(last) - best, best, train)


def quotient(loss, gain):
    """PQ = GL / P_k; infinite where training makes no progress at all."""
    if loss == 0:
        return 0.0
    with np.errstate(divide="ignore", over="ignore"):
        return float(np.float64(loss) / np.float64(gain))


def successive_rises(val, strip=STRIP):
    """UP: the largest s for which E_va has risen in s successive strips of k epochs.

    E_va(t) > E_va(t − k) > … > E_va(t − s k), with t the last epoch.
    """
    ends = np.asarray(val)[::-1][::strip]
    rises = ends[:-1] > ends[1:]
    return int(np.argmin(rises)) if not rises.all() else len(rises)
