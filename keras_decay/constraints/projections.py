"""Exact Euclidean projections onto norm balls, as functions of tensors alone.

The projection onto the ℓ1 ball, to which the projections for groups and singular values
reduce, looks for the threshold without sorting. Sorting would take longer than all else
in a training step: XLA sorts a million entries in about a second.
"""

import math

from keras import ops

from keras_decay.ground import backend
from keras_decay.ground.arithmetic import larger, limits, one_unless, zero_unless
from keras_decay.regularizers import group_norms, kept_axes, root_of_group_size


def project(w, radius, norm, axis=None):
    """The point of the ball or balls that is nearest to `w`.

    Args:
        w: A float32 or float64 tensor of any shape.
        radius: Non-negative number or scalar tensor of `w`'s dtype.
        norm, axis: See `NormBall`.

    Returns:
        A tensor of `w`'s shape and dtype.
    """
    if norm == "nuclear":
        return onto_nuclear_ball(w, radius)
    if norm == "group":
        return onto_group_ball(w, radius, -1 if axis is None else axis)
    onto = onto_l1_balls if norm == "l1" else onto_l2_balls
    kept = () if axis is None else kept_axes(axis, w.shape)
    order = (*kept, *(i for i in range(len(w.shape)) if i not in kept))
    there = ops.transpose(w, order)
    slices = math.prod([w.shape[i] for i in kept])
    rows = onto(ops.reshape(there, (slices, -1)), radius)
    back = sorted(range(len(order)), key=order.__getitem__)
    return ops.transpose(ops.reshape(rows, there.shape), back)


def onto_l2_balls(rows, radius):
    """Each row of a matrix projected onto its ball Σw² ≤ radius²."""
    unit = _unit(rows, axis=1)
    scaled = rows / unit
    norms = ops.sqrt(ops.sum(ops.square(scaled), axis=1, keepdims=True))
    return ops.where(norms <= radius / unit, rows, scaled / norms * radius)


def onto_l1_balls(rows, radius):
    """Each row of a matrix projected onto its ball Σ|w| ≤ radius.

    Start from the positive entries of |w| − τ₀, with τ₀ no larger than the threshold τ.
    Take the surplus over the radius away from them in equal parts, drop the entries
    that become negative, and repeat until no entry does. This is Newton's method on
    Σ(|w| − τ)₊ = radius, exact after finitely many rounds, about ten.

    Reference: Michelot, A Finite Algorithm for Finding the Projection of a Point onto
    the Canonical Simplex of R^n, 1986.
    """
    unit = _unit(rows, axis=1)
    sizes, bound = ops.abs(rows) / unit, radius / unit
    norms = ops.sum(sizes, axis=1, keepdims=True)
    # The thresholds if all entries stayed, and if the largest alone did.
    all_stay = (norms - bound) / rows.shape[1]
    one_stays = ops.amax(sizes, axis=1, keepdims=True) - bound
    left = ops.relu(sizes - larger(all_stay, one_stays))

    def is_unfinished(left, count, before):
        del left
        return ops.any(count < before)

    def drop(left, count, before):
        del before
        surplus = ops.sum(left, axis=1, keepdims=True) - bound
        part = surplus / ops.cast(ops.maximum(count, 1), left.dtype)
        new = zero_unless(left > 0, ops.relu(left - part))
        return new, _count(new), count

    count = _count(left)
    left, _, _ = ops.while_loop(is_unfinished, drop, (left, count, count + 1))
    return ops.where(norms <= bound, rows, ops.sign(rows) * left * unit)


def onto_group_ball(w, radius, axis):
    """`w` projected onto the ball Σ_g √|g| ‖w_g‖ ≤ radius, groups along `axis`.

    Groups keep their direction, and all groups have the same size. So the vector of
    their norms is projected onto the ℓ1 ball of radius/√|g|.
    """
    unit = _unit(w)
    norms = group_norms(w / unit, axis)
    bound = radius / unit / root_of_group_size(axis, w)
    shrunk = onto_l1_balls(ops.reshape(norms, (1, -1)), bound)
    shrunk = ops.reshape(shrunk, norms.shape)
    changes = shrunk < norms
    share = shrunk / one_unless(changes, norms)
    return ops.where(changes, w * share, w)


def onto_nuclear_ball(w, radius):
    """`w`, flattened to (inputs, outputs), projected onto the ball Σσ ≤ radius."""
    unit = _unit(w)
    scaled = ops.reshape(w / unit, (-1, w.shape[-1] if w.shape else 1))
    # Diverging training leaves NaN, on which the decompositions of some backends fail.
    is_finite = ops.all(ops.isfinite(scaled))
    left, values, right = backend.current().svd(zero_unless(is_finite, scaled))
    values, bound = ops.expand_dims(values, 0), radius / unit
    shrunk = onto_l1_balls(values, bound)
    there = ops.reshape((left * shrunk) @ right, w.shape) * unit
    is_inside = ops.sum(values) <= bound
    return ops.where(ops.logical_and(is_finite, ~is_inside), there, w)


def _unit(w, axis=None):
    """The largest |w|, to divide by, so that no sum of squares overflows.

    It is clipped to where its inverse is a normal number: XLA multiplies by the
    inverse, and takes a smaller number for zero.
    """
    largest = ops.amax(ops.abs(w), axis=axis, keepdims=axis is not None)
    return ops.clip(largest, limits(w).tiny, limits(w).max / 8)


def _count(rows):
    return ops.sum(ops.cast(rows > 0, "int32"), axis=1, keepdims=True)
