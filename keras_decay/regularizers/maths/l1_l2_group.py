"""L1, L2 and group terms, and the closed prox of their sum.

    Ω(w) = l1 Σ|w| + l2 Σw² + Σ_A λ_A Σ_{g along A} √|g| ‖w_g‖

L1 first, then the groups from the finest to the coarsest, then L2: each proximal step
leaves the directions of the coarser groups as they are, so that their composition is
the proximal step of the sum wherever every two groups are nested or disjoint.

Reference: Jenatton, Mairal, Obozinski and Bach, Proximal Methods for Hierarchical
Sparse Coding, 2011, theorem 1.
"""

import itertools
from typing import Any, NamedTuple

from keras import ops

from keras_decay.ground.arithmetic import (
    magnitude,
    one_unless,
    positive_or_one,
    unit_of,
    zero_unless,
)
from keras_decay.regularizers.maths.axes import (
    kept_axes,
    root_of_group_size,
    within_axes,
)


class PenaltyParts(NamedTuple):
    """The strengths of the terms of Ω. A group term is a pair (axis, λ)."""

    l1: Any = 0.0
    l2: Any = 0.0
    groups: tuple[tuple[Any, Any], ...] = ()

    @property
    def is_empty(self):
        """Whether Ω has no term. A term whose strength is a tensor counts."""
        return is_zero(self.l1) and is_zero(self.l2) and not self.groups


def is_zero(strength):
    """Whether a strength is the plain number 0."""
    return isinstance(strength, float) and strength == 0


def sum_of_magnitudes(w):
    """Σ|w|, a scalar with the gradient sign(w), which is 0 at 0."""
    return ops.sum(magnitude(w))


def sum_of_squares(w):
    """Σw², a scalar."""
    if len(w.shape) < 2:
        return ops.sum(ops.square(w))
    # On CPU, XLA reduces all axes at once one entry after the other, but columns side
    # by side. The absolute value, which changes nothing, keeps XLA from merging the
    # two sums into one.
    columns = ops.sum(ops.square(w), axis=tuple(range(len(w.shape) - 1)))
    return ops.sum(ops.abs(columns))


def group_norms(w, axis):
    """‖w_g‖ of every group along `axis`, with dimensions kept; gradient 0 at 0.

    No square overflows, because the group is divided by its largest entry before.
    """
    within = within_axes(axis, w.shape)
    unit = unit_of(w, within)
    squares = ops.sum(ops.square(w / unit), axis=within, keepdims=True)
    has_length = ops.not_equal(squares, 0)
    root = ops.sqrt(one_unless(has_length, squares))  # its gradient at 0 is infinite
    return zero_unless(has_length, unit * root)


def group_value(w, axis):
    """Σ_g √|g| ‖w_g‖, a scalar."""
    return root_of_group_size(axis, w) * ops.sum(group_norms(w, axis))


def soft_threshold(w, threshold):
    """sign(w) · max(|w| − threshold, 0): the proximal step of threshold · Σ|v|."""
    return ops.sign(w) * ops.relu(ops.abs(w) - threshold)


def ridge_shrink(w, weight):
    """w / (1 + 2 · weight): the proximal step of weight · Σv²."""
    return w / (1 + 2 * weight)


def group_shrink(w, axis, threshold):
    """w_g · max(1 − threshold √|g| / ‖w_g‖, 0): block soft threshold."""
    norms = group_norms(w, axis)
    kept = ops.relu(norms - threshold * root_of_group_size(axis, w))
    return w * (kept / positive_or_one(norms))


def parts_value(w, parts):
    """Ω(w), a scalar."""
    terms = [strength * group_value(w, axis) for axis, strength in parts.groups]
    if not is_zero(parts.l2):
        terms.append(parts.l2 * sum_of_squares(w))
    if not (is_zero(parts.l1) and terms):  # without any term the value is a tensor too
        terms.append(parts.l1 * sum_of_magnitudes(w))
    return sum(terms[1:], terms[0])


def parts_prox(w, step, parts):
    """The proximal step of step · Ω, if every two groups are nested or disjoint."""
    if not is_zero(parts.l1):
        w = soft_threshold(w, step * parts.l1)
    finest_first = sorted(
        parts.groups, key=lambda pair: -len(kept_axes(pair[0], w.shape))
    )
    for axis, strength in finest_first:
        w = group_shrink(w, axis, step * strength)
    return w if is_zero(parts.l2) else ridge_shrink(w, step * parts.l2)


def is_closed(parts, shape):
    """Whether every two groups are nested or disjoint for weights of that shape."""
    kept = [set(kept_axes(axis, shape)) for axis, _ in parts.groups]
    return all(a <= b or b <= a for a, b in itertools.combinations(kept, 2))
