"""Huber, MCP, SCAD and the log-sum: penalties Ω(w) = Σ φ(|wᵢ|), of each entry.

For each penalty its entries, and the proximal step for magnitudes a ≥ 0: the global
minimiser of F(x) = ½(x − a)² + step · φ(x) over 0 ≤ x ≤ a. Where φ is concave and the
step is large, F is not convex. There the minimiser jumps, as hard thresholding does.
"""

from keras import ops

from keras_decay.ground.arithmetic import (
    magnitude,
    one_unless,
    positive_or_one,
    smaller,
    zero_unless,
)
from keras_decay.regularizers.maths.l1_l2_group import soft_threshold

# From here on 1 + x² rounds to x² in float64; below it no square overflows.
BEYOND_SQUARES = 1e9


def huber_entries(w, strength, delta):
    """strength · (w²/(2δ) if |w| ≤ δ else |w| − δ/2), of each entry."""
    m = magnitude(w)
    near = smaller(m, delta)
    return strength * ((near / delta) * (m - 0.5 * near))


def huber_prox(a, threshold, delta):
    """a·δ/(δ + t) up to δ + t, a − t beyond, for the threshold t = step · strength."""
    near = a * (delta / (delta + threshold))
    return ops.where(a <= delta + threshold, near, a - threshold)


def mcp_entries(w, strength, gamma):
    """λ|w| − w²/(2γ) up to γλ, constant beyond, of each entry."""
    m = smaller(magnitude(w), gamma * strength)
    return m * (strength - m / (2 * gamma))


def mcp_prox(a, step, strength, gamma):
    """Firm thresholding for step < γ, hard thresholding at λ√(step·γ) else."""
    kept = 1 - step / gamma
    soft = soft_threshold(a, step * strength)
    firm = ops.where(a > gamma * strength, a, soft / positive_or_one(kept))
    hard = zero_unless(a > strength * ops.sqrt(step) * gamma**0.5, a)
    return ops.where(kept > 0, firm, hard)


def scad_entries(w, strength, a):
    """λ|w| up to λ, then a parabola, constant beyond aλ, of each entry."""
    m = smaller(magnitude(w), a * strength)
    beyond = ops.relu(m - strength)
    return strength * m - beyond * (beyond / (2 * (a - 1)))


def scad_prox(z, step, strength, a):
    """The global minimiser for magnitudes z; `a` is SCAD's parameter."""
    soft = soft_threshold(z, step * strength)
    # Convex for step < a − 1: each of the three pieces has its own range of z.
    kept = 1 - step / (a - 1)
    middle = (z - step * strength * (a / (a - 1))) / positive_or_one(kept)
    convex = ops.where(z > a * strength, z, middle)
    convex = ops.where(z > (1 + step) * strength, convex, soft)
    # Else the parabola holds no minimum. The first piece has one at the soft
    # threshold, and the last piece has one at z. The step jumps from the one to the
    # other where both are equally low.
    jump = ops.where(step > a + 1, ops.sqrt(step) * (a + 1) ** 0.5, (a + 1 + step) / 2)
    other = ops.where(z > strength * jump, z, soft)
    return ops.where(kept > 0, convex, other)


def log_sum_entries(w, strength, epsilon):
    """λ log(1 + |w|/ε) of each entry."""
    far, is_far, ratio = log_ratio(magnitude(w), epsilon)
    return strength * ops.where(is_far, far, ops.log1p(ratio))


def log_sum_prox(a, threshold, epsilon):
    """The larger root of x² + (ε − a)x + t − aε, or 0 where that is lower."""
    total = a + epsilon
    share = threshold / total / total
    root = ops.sqrt(ops.relu(1 - 4 * share))
    x = ops.relu(a - 2 * (threshold / total) / (1 + root))
    rise = threshold * log_sum_entries(x, ops.ones_like(threshold), epsilon)
    # F has a stationary point at all, and F(x) < F(0).
    lower = ops.logical_and(rise < x * (a - 0.5 * x), 4 * share <= 1)
    return zero_unless(lower, x)


def log_ratio(m, unit):
    """log(m / unit) for large ratios, without overflow of the ratio.

    Returns:
        The logarithm, whether m/unit is large, and m/unit, which is 1 in large places.
    """
    ratio = m / unit
    is_far = ratio > BEYOND_SQUARES
    far = ops.log(one_unless(is_far, m)) - ops.log(unit)
    return far, is_far, one_unless(~is_far, ratio)
