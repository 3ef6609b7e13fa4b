"""Penalties that are made of L1, L2 and group terms, and the closed prox of their sum.

    Ω(w) = l1 Σ|w| + l2 Σw² + Σ_A λ_A Σ_{g along A} √|g| ‖w_g‖

L1 first, then the groups from the finest to the coarsest, then L2: each proximal step
leaves the directions of the coarser groups as they are, so that their composition is
the proximal step of the sum wherever every two groups are nested or disjoint.

Reference: Jenatton, Mairal, Obozinski and Bach, Proximal Methods for Hierarchical
Sparse Coding, 2011, theorem 1.
"""

import abc
import itertools
from typing import Any, NamedTuple

from keras import ops

from keras_decay.regularizers.axes import kept_axes, root_of_group_size, within_axes
from keras_decay.regularizers.maths.separable import magnitude
from keras_decay.regularizers.penalty.algebra import (
    Penalty,
    computable,
    step_for,
    strength_for,
)


class Parts(NamedTuple):
    """The strengths of such a penalty, and its group terms as pairs (axis, λ)."""

    l1: Any = 0.0
    l2: Any = 0.0
    groups: tuple[tuple[Any, Any], ...] = ()

    @property
    def is_empty(self):
        """Whether there is no term; one whose strength is a tensor is there."""
        return is_zero(self.l1) and is_zero(self.l2) and not self.groups

    def for_weights(self, w):
        """The same with strengths that multiply the tensor `w`."""
        groups = [(axis, strength_for(s, w)) for axis, s in self.groups]
        return Parts(strength_for(self.l1, w), strength_for(self.l2, w), tuple(groups))


class OfParts(Penalty):
    """A penalty of L1, L2 and group terms; a class says which, and all else follows."""

    @abc.abstractmethod
    def parts(self):
        """The `Parts`; strengths as they are held."""

    def __call__(self, w):
        w = computable(w)
        return parts_value(w, self.parts().for_weights(w))

    def prox(self, w, step):
        wide = computable(w)
        parts = self.parts().for_weights(wide)
        return ops.cast(parts_prox(wide, step_for(step, wide), parts), w.dtype)

    def entrywise(self, w):
        parts = self.parts().for_weights(w)
        if parts.groups:
            return None
        if is_zero(parts.l2):
            return parts.l1 * magnitude(w)
        squares = parts.l2 * ops.square(w)
        return squares if is_zero(parts.l1) else parts.l1 * magnitude(w) + squares


def l1_value(w, l1):
    """l1 · Σ|w|, a scalar with gradient l1 · sign(w), which is 0 at 0.

    Not by `ops.abs`: its gradient at 0 is 1 on JAX, which would push zeros away.
    """
    return l1 * ops.sum(w * ops.stop_gradient(ops.sign(w)))


def l2_value(w, l2):
    """l2 · Σw², a scalar."""
    if len(w.shape) < 2:
        return l2 * ops.sum(ops.square(w))
    # On a processor XLA adds up all axes at once one by one, and columns side by side.
    # Their absolute values, which they are, keep it from making one sum of the two.
    columns = ops.sum(ops.square(w), axis=tuple(range(len(w.shape) - 1)))
    return l2 * ops.sum(ops.abs(columns))


def group_norms(w, axis):
    """‖w_g‖ of every group along `axis`, with dimensions kept; gradient 0 at 0.

    Divided by the largest entry before it is squared, so that nothing overflows.
    """
    within = within_axes(axis, w.shape)
    largest = ops.stop_gradient(ops.amax(ops.abs(w), axis=within, keepdims=True))
    is_zero = ops.equal(largest, 0)
    unit = ops.where(is_zero, ops.ones_like(largest), largest)
    # Without the first `where` the gradient of the root at 0 would be NaN.
    squares = ops.sum(ops.square(w / unit), axis=within, keepdims=True)
    root = ops.sqrt(ops.where(is_zero, ops.ones_like(squares), squares))
    return ops.where(is_zero, ops.zeros_like(root), unit * root)


def group_value(w, axis, strength):
    """strength · Σ_g √|g| ‖w_g‖, a scalar."""
    total = ops.sum(group_norms(w, axis))
    return strength * (root_of_group_size(axis, w) * total)


def parts_value(w, parts):
    """Ω(w) for the parts of Ω, a scalar."""
    terms = [group_value(w, axis, strength) for axis, strength in parts.groups]
    if not is_zero(parts.l2):
        terms.append(l2_value(w, parts.l2))
    if not (is_zero(parts.l1) and terms):  # of no terms the value is a tensor too
        terms.append(l1_value(w, parts.l1))
    return sum(terms[1:], terms[0])


def soft_threshold(w, threshold):
    """sign(w) · max(|w| − threshold, 0): the proximal step of threshold · Σ|v|."""
    return ops.sign(w) * ops.relu(ops.abs(w) - threshold)


def ridge_shrink(w, step, l2):
    """w / (1 + 2 · step · l2): the proximal step of step · l2 · Σv²."""
    return w / (1 + 2 * step * l2)


def group_shrink(w, axis, threshold):
    """w_g · max(1 − threshold √|g| / ‖w_g‖, 0): block soft threshold."""
    norms = group_norms(w, axis)
    kept = ops.relu(norms - threshold * root_of_group_size(axis, w))
    return w * (kept / ops.where(kept > 0, norms, ops.ones_like(norms)))


def parts_prox(w, step, parts):
    """The proximal step of step · Ω for the parts of Ω, if `is_closed`."""
    if not is_zero(parts.l1):
        w = soft_threshold(w, step * parts.l1)
    finest_first = sorted(
        parts.groups, key=lambda pair: -len(kept_axes(pair[0], w.shape))
    )
    for axis, strength in finest_first:
        w = group_shrink(w, axis, step * strength)
    return w if is_zero(parts.l2) else ridge_shrink(w, step, parts.l2)


def is_closed(parts, shape):
    """Whether every two groups are nested or disjoint for weights of that shape."""
    kept = [set(kept_axes(axis, shape)) for axis, _ in parts.groups]
    return all(a <= b or b <= a for a, b in itertools.combinations(kept, 2))


def is_zero(strength):
    """Whether a strength is the plain number 0."""
    return isinstance(strength, float) and strength == 0
