"""How the best decay depends on the learning rate, measured on a map of losses."""

from typing import NamedTuple

import numpy as np

# A learning rate counts if its best loss is at most this multiple of the map's best,
NEAR = 1.25
# and if decay improves it by this share at least: else any small decay is the best.
MATTERS = 0.02


class Coupling(NamedTuple):
    """Of one map: one number for each learning rate, or one for all.

    Attributes:
        best: log10 of the best decay at each learning rate; NaN where the rate is no
            good, decay does not matter or the best lies at the map's edge.
        slope: Of the line of least squares through log10 λ against log10 η; NaN where
            there are fewer than three.
        correlation: Pearson's; 0 where all are the same.
    """

    best: np.ndarray
    slope: float
    correlation: float


def coupling_of(losses, rates, decays):
    """The `Coupling` of a map.

    Args:
        losses: Array of shape (rates, decays); NaN where a training diverged.
        rates, decays: log10 of each, evenly spaced.
    """
    losses = np.where(np.isfinite(losses), losses, np.inf)
    best = np.array([_best(row, losses.min(), decays) for row in losses])
    known = np.isfinite(best)
    if known.sum() < 3:
        return Coupling(best, np.nan, np.nan)
    x, y = np.asarray(rates)[known], best[known]
    slope = np.polyfit(x, y, 1)[0]
    varies = np.ptp(y) > 1e-12
    correlation = np.corrcoef(x, y)[0, 1] if varies else 0.0
    return Coupling(best, float(slope), float(correlation))


def _best(row, least, decays):
    """The best log10 decay of a row, between the grid's points by a parabola."""
    at = int(np.argmin(row))
    if not 0 < at < len(row) - 1:
        return np.nan
    if row[at] > NEAR * least or row[at] > (1 - MATTERS) * row[0]:
        return np.nan
    step = decays[1] - decays[0]
    before, here, after = row[at - 1 : at + 2]
    if not np.isfinite(before + after):
        return decays[at]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend > 0 else 0.0
    return decays[at] + step * float(np.clip(shift, -0.5, 0.5))
