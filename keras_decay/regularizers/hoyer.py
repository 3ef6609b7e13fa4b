"""The Hoyer-square penalty, and its proximal step in closed form.

To minimise is F(v) = ½‖v − w‖² + c (Σ|v|)²/Σv². In the direction of a unit vector u,
u ≥ 0 but for the signs of w, the best length is uᵀ|w|, and F = ½‖w‖² + uᵀMu there, with
M = c 11ᵀ − ½|w||w|ᵀ. The minimiser keeps the order of |w|, so that its support is the k
largest for some k; on it u is positive, and so the eigenvector of the lowest eigenvalue
μ of M restricted to it, which lies in the span of 1 and |w| if μ < 0: a problem of two
dimensions. It is solved for every k at once. The lowest μ < 0 with u > 0 wins; without
one v = 0.
"""

import keras
import numpy as np
from keras import ops

from keras_decay.ground import backend, validation
from keras_decay.regularizers.arithmetic import weighted_prox, weighted_value
from keras_decay.regularizers.penalty.algebra import Penalty, plain

REFINEMENTS = 3


@keras.saving.register_keras_serializable(package="keras_decay")
class HoyerSquare(Penalty):
    """The Hoyer-square penalty λ (Σ|w|)²/Σw²: sparsity, whatever the scale of weights.

        Ω(w) = λ (Σ|w|)² / Σw²,   0 at w = 0
        prox(w, s) = w, for its k largest entries shrunk as sign(w) a max(|w| − b, 0)

    λ is `strength`. Between λ, for one entry that is not zero, and λ times the number
    of entries, for entries of one size, it measures how many entries count. Convention:
    the term stands in the loss as it is, and does not change with the scale of w.

    Not convex. The gradient is 0 at w = 0, and grows as 1/‖w‖ toward it; weights that
    are all below 1e-31 (float64: 2e-301) count as 0. The proximal step is the global
    minimum, by sorting; k, a and b are such that none is lower. It makes entries
    exactly zero, all where sλ ≥ ½ max w².

    Args:
        strength: Non-negative number, or a scalar `keras.Variable` or tensor. λ, in
            units of loss.

    Raises:
        TypeError, ValueError: If `strength` is no number, negative or not finite.

    Example:

    ```python
    keras.layers.Dense(8, kernel_regularizer=kd.HoyerSquare(1e-4))
    ```

    Reference: Yang, Wen and Li, DeepHoyer: Learning Sparser Neural Network with
    Differentiable Scale-Invariant Sparsity Measures, arXiv 1908.09979.
    """

    convex = False

    def __init__(self, strength):
        self.strength = validation.strength("strength", strength)

    def __call__(self, w):
        return weighted_value(hoyer_square, w, self.strength)

    def prox(self, w, step):
        return weighted_prox(hoyer_shrink, w, step, self.strength)

    def get_config(self):
        return {"strength": plain(self.strength)}


def hoyer_square(w):
    """(Σ|w|)²/Σw², 0 with gradient 0 at 0."""
    unit, is_zero = _unit_of(w)
    x = w / unit
    total = ops.sum(x * ops.stop_gradient(ops.sign(x)))
    squares = ops.sum(ops.square(x))
    # Without the inner `where` the gradient of the quotient at 0 would be NaN.
    squares = ops.where(is_zero, ops.ones_like(squares), squares)
    value = ops.square(total) / squares
    return ops.where(is_zero, ops.zeros_like(value), value)


def hoyer_shrink(w, cost):
    """argmin_v ½‖v − w‖² + cost · (Σ|v|)²/Σv², a global minimum."""
    unit, is_zero = _unit_of(w)
    size = ops.abs(w) / unit
    cost = ops.convert_to_tensor(cost, dtype=w.dtype)
    # From ½ on all is zero; what is larger might overflow.
    c = cost / unit / unit
    c = ops.where(c < 1, c, ops.ones_like(c))
    falling = ops.flip(ops.sort(ops.reshape(size, (-1,))))
    count = ops.arange(1, falling.shape[0] + 1, dtype=w.dtype)
    running_sums = backend.current().running_sums
    total, squares = running_sums(falling), running_sums(ops.square(falling))
    spread = ops.relu(squares - total * total / count)
    lowest, ratio = _lowest_eigenvalue(c, count, total, squares, spread)
    # Equal entries stand or fall together.
    following = ops.concatenate([falling[1:], -ops.ones_like(falling[:1])])
    is_support = (0.5 * falling > c * ratio) & (falling > following)
    lowest = ops.where(is_support, lowest, ops.zeros_like(lowest))
    best = ops.argmin(lowest)

    # From the support itself, which at the minimum is where u > 0: running sums have
    # gathered rounding, and near the lowest μ its neighbours are hardly higher.
    def solution(kept):
        kept = ops.cast(kept, w.dtype)
        count, total = ops.sum(kept), ops.sum(kept * size)
        squares = ops.sum(kept * ops.square(size))
        average = total / ops.where(count > 0, count, ops.ones_like(count))
        spread = ops.sum(kept * ops.square(size - average))
        lowest, ratio = _lowest_eigenvalue(c, count, total, squares, spread)
        return lowest, 0.5 * size - c * ratio

    _, u = solution(size >= ops.take(falling, best))
    for _ in range(REFINEMENTS):
        kept = u > 0
        eigenvalue, u = solution(kept)
    u = ops.relu(ops.where(kept, u, ops.zeros_like(u)))
    norm = ops.sum(ops.square(u))
    norm = ops.where(norm > 0, norm, ops.ones_like(norm))
    v = ops.sign(w) * (-eigenvalue / norm * u * unit)
    is_zero = is_zero | (ops.min(lowest) >= 0)
    v = ops.where(is_zero, ops.zeros_like(v), v)
    return ops.where(cost > 0, v, w)


def _lowest_eigenvalue(c, count, total, squares, spread):
    """μ ≤ 0 of c 11ᵀ − ½wwᵀ on the span of 1 and w, and 1ᵀu / wᵀu of its vector.

    Args:
        c: The factor.
        count, total, squares: 1ᵀ1, 1ᵀw and wᵀw.
        spread: wᵀw − (1ᵀw)²/1ᵀ1, at least 0.
    """
    trace = c * count - 0.5 * squares
    determinant = -0.5 * c * count * spread
    root = ops.sqrt(ops.square(trace) - 4 * determinant)
    # Of the two forms the one in which nothing cancels.
    positive = ops.where(trace > 0, 0.5 * (trace + root), ops.ones_like(root))
    lowest = ops.where(trace > 0, determinant / positive, 0.5 * (trace - root))
    below = c * count - lowest
    ratio = 0.5 * total / ops.where(below > 0, below, ops.ones_like(below))
    return lowest, ratio


def _unit_of(w):
    """The largest |w|, without gradient, or 1 if it counts as zero; whether it does."""
    largest = ops.stop_gradient(ops.max(ops.abs(w)))
    dtype = keras.backend.standardize_dtype(w.dtype)
    is_zero = largest < float(np.finfo(dtype).tiny) * 1e7
    return ops.where(is_zero, ops.ones_like(largest), largest), is_zero
