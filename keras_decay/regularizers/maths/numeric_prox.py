"""The proximal step of any penalty, from its value alone.

    argmin_v F(v),   F(v) = ½‖v − w‖² + step · Ω(v)

Two stages look for it. Bisection of ∂F in every entry at once finds it, kinks and exact
zeros included, where Ω is a sum of convex functions of each entry. From the best point
so far a quasi-Newton method (limited-memory BFGS) goes on, for penalties that tie
entries together. In the end entries become zero wherever that costs nothing.

Accuracy in float64, relative to the largest weight: 1e-6 for convex penalties that are
smooth, or act on each entry by itself; about 1e-3 near a kink across entries (a norm of
a group). Where F has several minima, the result is no worse than w, than 0 and than
the end of the bisection, and not always the lowest minimum. It takes some hundred
evaluations of the gradient of Ω: a `prox` of a penalty's own is worth its lines.

Reference: Nocedal and Wright, Numerical Optimization, 2006, chapters 6 and 7.
"""

from keras import ops

from keras_decay.ground import backend
from keras_decay.ground.arithmetic import (
    is_double,
    larger,
    one_unless,
    smaller,
    zero_unless,
)

MAX_ITERATIONS = 200
MAX_HALVINGS = 30
MEMORY = 8  # pairs of displacements and changes of the gradient
SUFFICIENT = 1e-4  # the share of the predicted descent that a step must bring


def numeric_prox(value, w, step):
    """argmin_v ½‖v − w‖² + step · value(v), to the accuracy named above.

    Args:
        value: Function of a tensor of `w`'s shape that returns a scalar tensor.
        w: A float32 or float64 tensor of any shape.
        step: Non-negative number or scalar tensor.
    """
    w = ops.stop_gradient(w)

    def slope(v):
        found = step * backend.current().gradient(value, v)
        # The gradient of a root at zero, as in a norm written out, is not finite.
        return zero_unless(ops.isfinite(found), found)

    def objective(v):
        return 0.5 * ops.sum(ops.square(v - w)) + step * ops.stop_gradient(value(v))

    def gradient(v):
        return v - w + slope(v)

    best = better(objective, ops.zeros_like(w), w)
    bisected, is_minimum = bisect(w, slope)
    is_found = ops.logical_and(is_minimum, objective(bisected) <= objective(best))
    best = better(objective, bisected, best)
    best = descend(objective, gradient, best, ops.max(ops.abs(w)), is_found)
    return with_zeros(objective, best, ops.max(ops.abs(w)))


def better(objective, candidate, best):
    improves = objective(candidate) <= objective(best)
    return ops.where(improves, candidate, best)


def bisect(w, slope):
    """The root of v − w + slope(v) in every entry, as if entries were independent.

    By convexity it lies between w and w − slope(w).

    Returns:
        The point, and whether ∂F changes its sign there, or is zero, in every entry: if
        so it is a minimum, also where the entries are not independent.
    """
    other = w - slope(w)
    halvings = 64 if is_double(w) else 34

    def halve(_, bounds):
        low, high = bounds
        middle = low + 0.5 * (high - low)
        is_left = middle - w + slope(middle) < 0
        return ops.where(is_left, middle, low), ops.where(is_left, high, middle)

    bounds = smaller(w, other), larger(w, other)
    low, high = ops.fori_loop(0, halvings, halve, bounds)
    is_least = ops.logical_and(low - w + slope(low) <= 0, high - w + slope(high) >= 0)
    is_zero = ops.logical_and(low <= 0, high >= 0)
    return zero_unless(~is_zero, high), ops.all(is_least)


def descend(objective, gradient, start, scale, is_found):
    """The minimum near `start` by L-BFGS; `start` if it is one, or no step leads down.

    Args:
        objective, gradient: F and its gradient.
        start: The point to start from.
        scale: The size of the weights, to which the tolerance is relative.
        is_found: Whether `start` is known to be the minimum.
    """
    rounding = 1e-15 if is_double(start) else 1e-7
    tolerance = scale * (1e-12 if is_double(start) else 1e-6)

    def unfinished(iteration, moved, v, g, *pairs):
        del v, pairs
        goes_on = ops.logical_and(moved, ops.max(ops.abs(g)) > tolerance)
        return ops.logical_and(iteration < MAX_ITERATIONS, goes_on)

    def advance(iteration, moved, v, g, displacements, changes, weights):
        del moved
        direction = -inverse_hessian_times(g, displacements, changes, weights)
        descent = ops.sum(direction * g)
        value = objective(v)

        def too_long(halvings, accepted, *_):
            return ops.logical_and(halvings < MAX_HALVINGS, ops.logical_not(accepted))

        def shorten(halvings, accepted, size, *_):
            del accepted
            there = v + size * direction
            slope, height = gradient(there), objective(there)
            falls = height <= value + SUFFICIENT * size * descent
            # Near the minimum rounding hides the descent; the gradient still shows it.
            flat = ops.logical_and(
                ops.abs(height - value) <= 4 * rounding * ops.abs(value),
                ops.sum(ops.square(slope)) < ops.sum(ops.square(g)),
            )
            accepted = ops.logical_or(falls, flat)
            return halvings + 1, accepted, 0.5 * size, there, slope

        _, accepted, _, there, slope = ops.while_loop(
            too_long,
            shorten,
            (
                ops.convert_to_tensor(0, "int32"),
                ops.convert_to_tensor(False, "bool"),
                ops.ones((), dtype=v.dtype),
                v,
                g,
            ),
        )
        new, slope = ops.where(accepted, there, v), ops.where(accepted, slope, g)
        displacement, change = new - v, slope - g
        curvature = ops.sum(displacement * change)
        usable = curvature > 1e-10 * ops.sum(ops.square(change))
        weight = ops.where(usable, 1 / ops.where(usable, curvature, 1), 0)
        displacements = push(displacements, displacement)
        changes = push(changes, change)
        weights = push(weights, ops.cast(weight, v.dtype))
        return iteration + 1, accepted, new, slope, displacements, changes, weights

    history = ops.zeros((MEMORY, *start.shape), dtype=start.dtype)
    state = (
        ops.convert_to_tensor(0, "int32"),
        ops.logical_not(is_found),
        start,
        gradient(start),
        history,
        history,
        ops.zeros((MEMORY,), dtype=start.dtype),
    )
    return ops.while_loop(unfinished, advance, state)[2]


def push(history, newest):
    return ops.concatenate([history[1:], ops.expand_dims(newest, 0)])


def inverse_hessian_times(g, displacements, changes, weights):
    """The two-loop recursion. A pair of weight 0 stands for a pair not made yet."""
    shares = [None] * MEMORY
    for i in reversed(range(MEMORY)):
        shares[i] = weights[i] * ops.sum(displacements[i] * g)
        g = g - shares[i] * changes[i]
    # Start from the newest pair's curvature; without a pair from the identity, which is
    # the Hessian of F without Ω.
    square = ops.sum(ops.square(changes[-1]))
    exists = ops.logical_and(weights[-1] > 0, square > 0)
    scale = 1 / one_unless(exists, weights[-1] * square)
    g = g * scale
    for i in range(MEMORY):
        share = weights[i] * ops.sum(changes[i] * g)
        g = g + displacements[i] * (shares[i] - share)
    return g


def with_zeros(objective, v, scale):
    """`v` with its small entries at zero, up to each size where F does not rise."""
    for size in (1e-12, 1e-8, 1e-6, 1e-4, 1e-3):
        small = ops.abs(v) <= size * scale
        v = better(objective, zero_unless(~small, v), v)
    return v
