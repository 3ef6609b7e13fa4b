"""Norms held within a radius: exact Euclidean projections as Keras constraints.

The projections are functions of tensors alone. That onto the ℓ1 ball, to which those
for groups and singular values reduce, looks for the threshold without sorting, which
would take longer than all else in a training step: XLA sorts a million entries in about
a second.
"""

import math

import keras
from keras import ops

from keras_decay import _backend, _validation
from keras_decay.regularizers import _axes
from keras_decay.regularizers._base import computable, plain
from keras_decay.regularizers._parts import group_norms

NORMS = ("l1", "l2", "group", "nuclear")


@keras.saving.register_keras_serializable(package="keras_decay")
class NormBall(keras.constraints.Constraint):
    """A constraint ‖w‖ ≤ r: after every step the nearest weights that fulfil it.

        P(w) = argmin_v ½‖v − w‖²  subject to  ‖v‖ ≤ r

    r is `radius`, and ‖w‖ is chosen by `norm`:

    | `norm` | ‖w‖ | P(w) outside the ball, τ and s as fulfil ‖P(w)‖ = r |
    |---|---|---|
    | `"l2"` | √Σw² | s w |
    | `"l1"` | Σ abs(w) | the soft threshold of w at τ: exact zeros |
    | `"group"` | Σ_g √abs(g) ‖w_g‖₂ | the soft threshold of every ‖w_g‖: zero groups |
    | `"nuclear"` | Σσ, the singular values | the soft threshold of them: low rank |

    This is the hard form of a penalty, and a penalty the soft form of this: whoever
    minimises a convex loss subject to ‖w‖² ≤ θ minimises loss + λ‖w‖² for some λ ≥ 0,
    the multiplier of the constraint, which is 0 where the constraint does not bind, and
    falls as θ grows. So it is between `NormBall(√θ)` and `L2(λ)`, and with ‖w‖ itself
    between `"l1"`, `"group"`, `"nuclear"` and `L1`, `GroupLasso`, `Nuclear`. Not so
    with several balls, one for each slice: each has a multiplier of its own.

    With `axis` every slice of the weights along it has a ball of its own: `axis=-1` and
    `"l2"` bound the weights into each unit of a `Dense` layer or each filter of a
    `Conv` layer, which is known as max-norm. Only in the group norm `axis` says what a
    group g is, a slice too, abs(g) its number of entries, and the ball is one.

    Weights inside the ball are returned bit for bit, zeros stay exact zeros, and a
    radius of 0 gives zeros. The result is exact to the rounding of the largest weight
    (of the largest singular value), and its norm exceeds the radius by no more than the
    rounding of the sum that a norm is. Half-precision weights are projected in float32
    and then rounded, which may exceed the radius by half a unit in the last place.

    The singular values of a kernel of some size take time, a second and more for a
    thousand units, and many times as much where XLA compiles for a CPU: on TensorFlow
    compile models under a nuclear norm with `jit_compile=False`.

    Args:
        radius: Non-negative number, or a scalar `keras.Variable` or tensor. r, in units
            of the norm. A variable acts from the next step on; on JAX it is refused
            with an error when it is used in `fit`.
        norm: `"l2"`, `"l1"`, `"group"` or `"nuclear"`. For the last a kernel is
            flattened to (inputs, outputs), all axes but the last being inputs.
        axis: An int or a tuple of ints, or None for one ball about the whole tensor; in
            the group norm None is −1. None for the nuclear norm. The names of axes that
            `kd.regularize` resolves are unknown here.

    Raises:
        TypeError, ValueError: If an argument is not as described, or when called, if
            the weights have no such axis.

    Example:

    ```python
    keras.layers.Dense(128, kernel_constraint=kd.NormBall(3.0, axis=-1))
    ```

    References: Duchi, Shalev-Shwartz, Singer and Chandra, Efficient Projections onto
    the ℓ1-Ball for Learning in High Dimensions, 2008; Parikh and Boyd, Proximal
    Algorithms, 2014, sections 6.5 and 6.7; Srebro and Shraibman, Rank, Trace-Norm and
    Max-Norm, 2005, for the bound on the norm of every row.
    """

    def __init__(self, radius, norm="l2", axis=None):
        self.radius = _validation.strength("radius", radius)
        if not isinstance(norm, str) or norm not in NORMS:
            must = "one of " + ", ".join(map(repr, NORMS))
            kind = ValueError if isinstance(norm, str) else TypeError
            raise kind(_validation.received("norm", norm, must))
        self.norm = norm
        self.axis = _checked_axis(norm, axis)

    def __call__(self, w):
        wide = computable(w)
        radius = _radius_for(self.radius, wide)
        return ops.cast(project(wide, radius, self.norm, self.axis), w.dtype)

    def get_config(self):
        return {
            "radius": plain(self.radius),
            "norm": self.norm,
            "axis": _axes.axis_config(self.axis),
        }

    def __repr__(self):
        return f"NormBall(radius={self.radius!r}, norm={self.norm!r}, axis={self.axis})"


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
    kept = () if axis is None else _axes.kept_axes(axis, w.shape)
    order = (*kept, *(i for i in range(len(w.shape)) if i not in kept))
    there = ops.transpose(w, order)
    slices = math.prod(w.shape[i] for i in kept)
    rows = onto(ops.reshape(there, (slices, -1)), radius)
    back = sorted(range(len(order)), key=order.__getitem__)
    return ops.transpose(ops.reshape(rows, there.shape), back)


def onto_l2_balls(rows, radius):
    """Each row of a matrix projected onto its ball Σw² ≤ radius²."""
    unit = _largest(rows, axis=1)
    scaled = rows / unit
    norms = ops.sqrt(ops.sum(ops.square(scaled), axis=1, keepdims=True))
    # A norm is at least 1 in this unit, unless the row is zero and inside.
    return ops.where(norms <= radius / unit, rows, scaled / norms * radius)


def onto_l1_balls(rows, radius):
    """Each row of a matrix projected onto its ball Σ|w| ≤ radius.

    Of the positive entries of |w| − τ₀, with τ₀ no larger than the threshold τ, the
    surplus over the radius is taken away in equal parts, and what becomes negative is
    dropped, until nothing does. This is Newton's method on Σ(|w| − τ)₊ = radius, exact
    after finitely many rounds, about ten of them.

    Reference: Michelot, A Finite Algorithm for Finding the Projection of a Point onto
    the Canonical Simplex of R^n, 1986.
    """
    unit = _largest(rows, axis=1)
    sizes, bound = ops.abs(rows) / unit, radius / unit
    norms = ops.sum(sizes, axis=1, keepdims=True)
    # As if all entries stayed; as if the largest, which is 1, alone did.
    first = ops.maximum((norms - bound) / rows.shape[1], 1 - bound)
    left = ops.relu(sizes - first)

    def is_unfinished(left, count, before):
        del left
        return ops.any(count < before)

    def drop(left, count, before):
        del before
        surplus = ops.sum(left, axis=1, keepdims=True) - bound
        part = surplus / ops.cast(ops.maximum(count, 1), left.dtype)
        new = ops.where(left > 0, ops.relu(left - part), ops.zeros_like(left))
        return new, _count(new), count

    count = _count(left)
    left, _, _ = ops.while_loop(is_unfinished, drop, (left, count, count + 1))
    return ops.where(norms <= bound, rows, ops.sign(rows) * left * unit)


def onto_group_ball(w, radius, axis):
    """`w` projected onto the ball Σ_g √|g| ‖w_g‖ ≤ radius, groups along `axis`.

    Groups keep their direction, and all have the same size, so that their norms are
    projected onto the ℓ1 ball of radius/√|g|.
    """
    unit = _largest(w)
    norms = group_norms(w / unit, axis)
    bound = radius / unit / _axes.group_size(axis, w.shape) ** 0.5
    shrunk = onto_l1_balls(ops.reshape(norms, (1, -1)), bound)
    shrunk = ops.reshape(shrunk, norms.shape)
    changes = shrunk < norms
    share = shrunk / ops.where(changes, norms, ops.ones_like(norms))
    return ops.where(changes, w * share, w)


def onto_nuclear_ball(w, radius):
    """`w`, flattened to (inputs, outputs), projected onto the ball Σσ ≤ radius."""
    unit = _largest(w)
    scaled = ops.reshape(w / unit, (-1, w.shape[-1] if w.shape else 1))
    # Not every backend's decomposition survives what diverging training leaves.
    is_finite = ops.all(ops.isfinite(scaled))
    finite = ops.where(is_finite, scaled, ops.zeros_like(scaled))
    left, values, right = ops.svd(finite, full_matrices=False)
    values, bound = ops.expand_dims(values, 0), radius / unit
    shrunk = onto_l1_balls(values, bound)
    there = ops.reshape(ops.matmul(left * shrunk, right), w.shape) * unit
    is_inside = ops.sum(values) <= bound
    return ops.where(ops.logical_and(is_finite, ~is_inside), there, w)


def _largest(w, axis=None):
    """The largest |w|, by which to divide so that no sum overflows; 1 for zeros."""
    largest = ops.max(ops.abs(w), axis=axis, keepdims=axis is not None)
    return ops.where(largest > 0, largest, ops.ones_like(largest))


def _count(rows):
    return ops.sum(ops.cast(rows > 0, "int32"), axis=1, keepdims=True)


def _checked_axis(norm, axis):
    if axis is None:
        return None
    must = "an int, a tuple of different ints, or None"
    if norm == "nuclear":
        must = "None for the nuclear norm, which is of the kernel as a whole"
        raise ValueError(_validation.received("axis", axis, must))
    if isinstance(axis, str):
        remedy = (
            "A constraint is given weights and not their layer, so it cannot know what "
            "the name of an axis means there; only `kd.regularize` can."
        )
        raise ValueError(_validation.received("axis", axis, must, remedy))
    try:
        return _axes.axis("axis", axis)
    except (TypeError, ValueError) as error:
        raise type(error)(_validation.received("axis", axis, must)) from None


def _radius_for(radius, w):
    """The radius as something that combines with the tensor `w`."""
    if not isinstance(radius, keras.Variable):
        return ops.cast(radius, w.dtype)
    if _backend.current().is_baked(radius.value):
        raise RuntimeError(
            f"The radius {radius.path!r} is a keras.Variable, but in `fit` on JAX a "
            "constraint sees no variable other than the weights: the present value "
            "would be compiled into the training step and later changes ignored. Give "
            "a plain number, and compile the model anew to change it."
        )
    return ops.cast(radius.value, w.dtype)
