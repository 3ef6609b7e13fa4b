"""(Σ|w|)²/Σw², and its proximal step in closed form.

The proximal step minimises F(v) = ½‖v − w‖² + c (Σ|v|)²/Σv². Let v = r·u, where the
unit vector u has the signs of w; below u stands for its magnitudes. The best length is
r = uᵀ|w|, and for it F = ½‖w‖² + uᵀMu with M = c 11ᵀ − ½|w||w|ᵀ.

The minimiser keeps the order of |w|, so that its support is the k largest entries for
some k. On the support u is positive, and is the eigenvector of the lowest eigenvalue μ
of M restricted to it. Where μ < 0 this eigenvector lies in the span of 1 and |w|, which
leaves a problem of two dimensions. It is solved for every k at once. The lowest μ < 0
with u > 0 wins; if there is no such μ, v = 0.
"""

from keras import ops

from keras_decay.ground import backend
from keras_decay.ground.arithmetic import (
    limits,
    magnitude,
    one_unless,
    positive_or_one,
    zero_unless,
)

REFINEMENTS = 3


def hoyer_square(w):
    """(Σ|w|)²/Σw², 0 with gradient 0 at 0."""
    unit, is_zero = unit_or_zero(w)
    x = w / unit
    squares = one_unless(~is_zero, ops.sum(ops.square(x)))
    return zero_unless(~is_zero, ops.square(ops.sum(magnitude(x))) / squares)


def hoyer_prox(w, cost):
    """argmin_v ½‖v − w‖² + cost · (Σ|v|)²/Σv², a global minimum."""
    unit, is_zero = unit_or_zero(w)
    size = ops.abs(w) / unit
    cost = ops.convert_to_tensor(cost, dtype=w.dtype)
    c = cost / unit / unit
    c = one_unless(c < 1, c)  # from ½ on all is zero; larger numbers might overflow
    falling = ops.flip(ops.sort(ops.reshape(size, (-1,))))
    count = ops.arange(1, falling.shape[0] + 1, dtype=w.dtype)
    running_sums = backend.current().running_sums
    total, squares = running_sums(falling), running_sums(ops.square(falling))
    spread = ops.relu(squares - total * total / count)
    lowest, ratio = lowest_eigenvalue(c, count, total, squares, spread)
    # Equal entries stand or fall together.
    following = ops.concatenate([falling[1:], -ops.ones_like(falling[:1])])
    is_support = (0.5 * falling > c * ratio) & (falling > following)
    lowest = zero_unless(is_support, lowest)
    best = ops.argmin(lowest)

    # Solve again on the support alone, and take as the next support where u > 0, which
    # holds at the minimum. Running sums have gathered rounding, and the supports next
    # to the best one have hardly higher μ.
    def solution(kept):
        kept = ops.cast(kept, w.dtype)
        count, total = ops.sum(kept), ops.sum(kept * size)
        squares = ops.sum(kept * ops.square(size))
        average = total / positive_or_one(count)
        spread = ops.sum(kept * ops.square(size - average))
        lowest, ratio = lowest_eigenvalue(c, count, total, squares, spread)
        return lowest, 0.5 * size - c * ratio

    _, u = solution(size >= ops.take(falling, best))
    for _ in range(REFINEMENTS):
        kept = u > 0
        eigenvalue, u = solution(kept)
    u = ops.relu(zero_unless(kept, u))
    norm = positive_or_one(ops.sum(ops.square(u)))
    v = ops.sign(w) * (-eigenvalue / norm * u * unit)
    is_zero = is_zero | (ops.min(lowest) >= 0)
    return ops.where(cost > 0, zero_unless(~is_zero, v), w)


def lowest_eigenvalue(c, count, total, squares, spread):
    """μ ≤ 0 of c 11ᵀ − ½wwᵀ on the span of 1 and w, and 1ᵀu / wᵀu of its vector.

    Args:
        c: The factor.
        count, total, squares: 1ᵀ1, 1ᵀw and wᵀw.
        spread: wᵀw − (1ᵀw)²/1ᵀ1, at least 0.
    """
    trace = c * count - 0.5 * squares
    determinant = -0.5 * c * count * spread
    root = ops.sqrt(ops.square(trace) - 4 * determinant)
    # Each sign of the trace has a form of the root in which nothing cancels.
    positive = one_unless(trace > 0, 0.5 * (trace + root))
    lowest = ops.where(trace > 0, determinant / positive, 0.5 * (trace - root))
    ratio = 0.5 * total / positive_or_one(c * count - lowest)
    return lowest, ratio


def unit_or_zero(w):
    """The largest |w|, without gradient, or 1 if it counts as zero; whether it does."""
    largest = ops.stop_gradient(ops.max(ops.abs(w)))
    is_zero = largest < limits(w).tiny * 1e7
    return one_unless(~is_zero, largest), is_zero
