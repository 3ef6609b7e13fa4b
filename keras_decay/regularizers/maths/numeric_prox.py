"""The proximal step of any penalty, from its value alone.

    argmin_v F(v),   F(v) = ½‖v − w‖² + step · Ω(v)

It is looked for in two stages. Bisection of ∂F in every entry at once finds it, kinks
and exact zeros included, where Ω is a convex function of each entry by itself. From the
best point so far a quasi-Newton method (limited-memory BFGS) goes on, for penalties
that tie entries together. At last, what can be exactly zero at no cost is made so.

Accuracy in float64, relative to the largest weight: 1e-6 for convex penalties that are
smooth, or act on each entry by itself. With kinks across entries (a norm of a group) it
is about 1e-3 near the kink. Where F has several minima it is one that is no worse than
w, 0 and where the bisection ends, and not always the lowest. It takes some hundred
evaluations of the gradient of Ω: a `prox` of a penalty's own is worth its lines.

Reference: Nocedal and Wright, Numerical Optimization, 2006, chapters 6 and 7.
"""

import keras
from keras import ops

from keras_decay.ground import backend
from keras_decay.regularizers.maths.separable import larger, smaller

MAX_ITERATIONS = 200
MAX_HALVINGS = 30
MEMORY = 8  # pairs of displacements and changes of the gradient
SUFFICIENT = 1e-4  # the share of the promised descent that a step must bring


def numeric_prox(value, w, step):
    """argmin_v ½‖v − w‖² + step · value(v), to the accuracy that stands above.

    Args:
        value: Function of a tensor of `w`'s shape that returns a scalar tensor.
        w: A float32 or float64 tensor of any shape.
        step: Non-negative number or scalar tensor.
    """
    w = ops.stop_gradient(w)

    def slope(v):
        found = step * backend.current().gradient(value, v)
        # A root at zero, as in a norm that is written out, has no gradient there.
        return ops.where(ops.isfinite(found), found, ops.zeros_like(found))

    def objective(v):
        return 0.5 * ops.sum(ops.square(v - w)) + step * ops.stop_gradient(value(v))

    def gradient(v):
        return v - w + slope(v)

    best = _better(objective, ops.zeros_like(w), w)
    bisected, is_minimum = _bisect(w, slope)
    is_found = ops.logical_and(is_minimum, objective(bisected) <= objective(best))
    best = _better(objective, bisected, best)
    best = _descend(objective, gradient, best, ops.max(ops.abs(w)), is_found)
    return _with_zeros(objective, best, ops.max(ops.abs(w)))


def _better(objective, candidate, best):
    improves = objective(candidate) <= objective(best)
    return ops.where(improves, candidate, best)


def _bisect(w, slope):
    """The root of v − w + slope(v) in every entry, if the entries were independent.

    By convexity it lies between w and w − slope(w).

    Returns:
        The point, and whether ∂F has both signs about it in every entry, or is zero,
        so that it is a minimum whether the entries are independent or not.
    """
    other = w - slope(w)
    is_double = keras.backend.standardize_dtype(w.dtype) == "float64"
    halvings = 64 if is_double else 34

    def halve(_, bounds):
        low, high = bounds
        middle = low + 0.5 * (high - low)
        is_left = middle - w + slope(middle) < 0
        return ops.where(is_left, middle, low), ops.where(is_left, high, middle)

    bounds = smaller(w, other), larger(w, other)
    low, high = ops.fori_loop(0, halvings, halve, bounds)
    is_least = ops.logical_and(low - w + slope(low) <= 0, high - w + slope(high) >= 0)
    is_zero = ops.logical_and(low <= 0, high >= 0)
    return ops.where(is_zero, ops.zeros_like(w), high), ops.all(is_least)


def _descend(objective, gradient, start, scale, is_found):
    """The minimum near `start` by L-BFGS; `start` if it is one or none leads down."""
    is_double = keras.backend.standardize_dtype(start.dtype) == "float64"
    rounding = 1e-15 if is_double else 1e-7
    tolerance = scale * (1e-12 if is_double else 1e-6)

    def unfinished(iteration, moved, v, g, *pairs):
        del v, pairs
        goes_on = ops.logical_and(moved, ops.max(ops.abs(g)) > tolerance)
        return ops.logical_and(iteration < MAX_ITERATIONS, goes_on)

    def advance(iteration, moved, v, g, displacements, changes, weights):
        del moved
        direction = -_inverse_hessian_times(g, displacements, changes, weights)
        descent = ops.sum(direction * g)
        value = objective(v)

        def too_long(halvings, accepted, *_):
            return ops.logical_and(halvings < MAX_HALVINGS, ops.logical_not(accepted))

        def shorten(halvings, accepted, size, *_):
            del accepted
            there = v + size * direction
            slope, height = gradient(there), objective(there)
            falls = height <= value + SUFFICIENT * size * descent
            # Near the minimum its value says no more; its gradient does.
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
        displacements = _push(displacements, displacement)
        changes = _push(changes, change)
        weights = _push(weights, ops.cast(weight, v.dtype))
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


def _push(history, newest):
    return ops.concatenate([history[1:], ops.expand_dims(newest, 0)])


def _inverse_hessian_times(g, displacements, changes, weights):
    """The two-loop recursion; a pair of weight 0 is one that does not exist."""
    shares = [None] * MEMORY
    for i in reversed(range(MEMORY)):
        shares[i] = weights[i] * ops.sum(displacements[i] * g)
        g = g - shares[i] * changes[i]
    # The Hessian of F is the identity plus that of Ω: between pairs, the former.
    square = ops.sum(ops.square(changes[-1]))
    exists = ops.logical_and(weights[-1] > 0, square > 0)
    scale = 1 / ops.where(exists, weights[-1] * square, ops.ones_like(square))
    g = g * scale
    for i in range(MEMORY):
        share = weights[i] * ops.sum(changes[i] * g)
        g = g + displacements[i] * (shares[i] - share)
    return g


def _with_zeros(objective, v, scale):
    """`v` with its small entries at zero, for each size at which that costs nothing."""
    for size in (1e-12, 1e-8, 1e-6, 1e-4, 1e-3):
        small = ops.abs(v) <= size * scale
        v = _better(objective, ops.where(small, ops.zeros_like(v), v), v)
    return v
