"""Global minimisers of functions of one number, for all entries at once.

    argmin_x F(x),   F(x) = ½(x − a)² + step · φ(x),   0 ≤ x ≤ a

`lowest` assumes only that φ does not fall. It walks along a grid on [0, a]. Wherever
the slope F′ rises through zero between two points, bisection finds the minimum. The
result is the lowest of these minima and of x = 0. It is exact to rounding unless two
minima lie within one cell: only one of them is seen then. Cells are at most a/32 wide,
and about x/2 wide where x is small against a.

`newton` needs an interval in which F′ is convex or concave.
"""

import numpy as np
from keras import ops

from keras_decay.ground import backend
from keras_decay.ground.arithmetic import is_double, one_unless, positive_or_one

# Fractions of a, at every order of magnitude: smooth penalties of small scale have
# minima close to zero.
GRID = np.union1d(np.linspace(0, 1, 33), np.geomspace(1e-9, 1 / 32, 40))


def lowest(entries, a, step):
    """The minimiser in every entry, from the values of φ.

    Args:
        entries: Function that gives φ of each entry of a tensor like `a`.
        a: A float32 or float64 tensor of any shape, non-negative.
        step: Non-negative scalar tensor.
    """
    a = ops.stop_gradient(a)
    grid = ops.convert_to_tensor(GRID, dtype=a.dtype)
    last = len(GRID) - 1
    halvings = 46 if is_double(a) else 22
    unit = positive_or_one(a)
    zero = ops.zeros_like(a)
    at_zero = ops.stop_gradient(entries(zero))

    def rises(x):
        slope = backend.current().gradient(lambda v: ops.sum(entries(v)), x)
        # The gradient of |x|^p at zero is not finite.
        slope = ops.where(ops.isfinite(slope), slope, zero)
        return x - a + step * slope >= 0

    def gain(x):
        """(F(x) − F(0)) / a, so that squares of large numbers do not overflow."""
        rise = ops.stop_gradient(entries(x)) - at_zero
        return x * (0.5 * (x / unit) - 1) + step * (rise / unit)

    def unfinished(cell, left, *_):
        return ops.any(ops.logical_or(cell < last, left > 0))

    def advance(cell, left, rising, low, high, best, least):
        """Halve the bracket of an entry that has one; take others to the next point."""
        halving = left > 0
        following = ops.minimum(cell + 1, last)
        corner = a * ops.take(grid, following)
        point = ops.where(halving, low + 0.5 * (high - low), corner)
        up = rises(point)
        found = ops.logical_and(ops.logical_not(rising), up)
        high = ops.where(halving, ops.where(up, point, high), corner)
        low = ops.where(halving, ops.where(up, low, point), a * ops.take(grid, cell))
        value = gain(high)
        better = ops.logical_and(left == 1, value < least)
        best, least = ops.where(better, high, best), ops.where(better, value, least)
        rising = ops.where(halving, rising, up)
        cell = ops.where(halving, cell, following)
        begun = ops.where(found, halvings, 0)
        left = ops.where(halving, left - 1, ops.cast(begun, "int32"))
        return cell, left, rising, low, high, best, least

    state = (
        ops.zeros_like(a, dtype="int32"),
        ops.zeros_like(a, dtype="int32"),
        rises(zero),
        zero,
        zero,
        zero,
        zero,
    )
    return ops.while_loop(unfinished, advance, state)[5]


def newton(derivatives, start, low, high, iterations):
    """The root of a function by Newton's method, kept between `low` and `high`.

    Where the function rises at its root, and is convex and starts above zero or is
    concave and starts below, no iterate passes the root. Where it has no root, the
    iterates leave the interval and are kept at its end.

    Args:
        derivatives: Function of `x` that returns the function's value and derivative.
        start: A tensor.
        low, high: Tensors that bound the root.
        iterations: Number of steps.
    """

    def improve(_, x):
        value, slope = derivatives(x)
        rising = slope > 0
        better = x - value / one_unless(rising, slope)
        away = ops.where(value > 0, low, high)
        return ops.clip(ops.where(rising, better, away), low, high)

    return ops.fori_loop(0, iterations, improve, start) if iterations else start
