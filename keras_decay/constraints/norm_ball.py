"""`NormBall`: a norm held within a radius, as a Keras constraint."""

import math

import keras
from keras import ops

from keras_decay.constraints.projections import project
from keras_decay.ground import backend, validation
from keras_decay.ground.arithmetic import computable, limits
from keras_decay.regularizers import axis_config, checked_axis, plain

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

    The nuclear norm needs the singular values at every step. On PyTorch the
    update of `DecoupledWeightDecay` is compiled under l2 only: the other projections
    take as many rounds as the weights ask for, and then it runs uncompiled.

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
        self.radius = validation.strength("radius", radius)
        if not isinstance(norm, str) or norm not in NORMS:
            must = "one of " + ", ".join(map(repr, NORMS))
            kind = ValueError if isinstance(norm, str) else TypeError
            raise kind(validation.received("norm", norm, must))
        self.norm = norm
        self.axis = _axis_for(norm, axis)

    def __call__(self, w):
        wide = computable(w)
        radius = _radius_for(self.radius, wide)
        return ops.cast(project(wide, radius, self.norm, self.axis), w.dtype)

    def get_config(self):
        return {
            "radius": plain(self.radius),
            "norm": self.norm,
            "axis": axis_config(self.axis),
        }

    def __repr__(self):
        return f"NormBall(radius={self.radius!r}, norm={self.norm!r}, axis={self.axis})"


def _axis_for(norm, axis):
    if axis is None:
        return None
    must = "an int, a tuple of different ints, or None"
    if norm == "nuclear":
        must = "None for the nuclear norm, which is of the kernel as a whole"
        raise ValueError(validation.received("axis", axis, must))
    if isinstance(axis, str):
        remedy = (
            "A constraint is given weights and not their layer, so it cannot know what "
            "the name of an axis means there; only `kd.regularize` can."
        )
        raise ValueError(validation.received("axis", axis, must, remedy))
    try:
        return checked_axis("axis", axis)
    except (TypeError, ValueError) as error:
        raise type(error)(validation.received("axis", axis, must)) from None


def _radius_for(radius, w):
    """The radius as something that combines with the tensor `w`."""
    if isinstance(radius, float):
        # A plain number stays one: TensorFlow would cast it by way of float32.
        return radius if radius <= limits(w).max else math.inf
    if not isinstance(radius, keras.Variable):
        return ops.cast(radius, w.dtype)
    if backend.current().is_baked(radius.value):
        raise RuntimeError(
            f"The radius {radius.path!r} is a keras.Variable, but in `fit` on JAX a "
            "constraint sees no variable other than the weights: the present value "
            "would be compiled into the training step and later changes ignored. Give "
            "a plain number, and compile the model anew to change it."
        )
    return ops.cast(radius.value, w.dtype)
