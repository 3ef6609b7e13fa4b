"""The interface of a penalty, and the arithmetic that all penalties share."""

import abc
import copy

import keras
from keras import ops

from keras_decay.ground import backend, validation


class Penalty(keras.regularizers.Regularizer, abc.ABC):
    """A penalty Ω(w) on weights, usable in the loss and in the optimizer.

    Derive from it for a penalty of your own: `__call__` is all that it must define. It
    gives the loss term, and makes the penalty a `kernel_regularizer`, `bias_`,
    `embeddings_` or `activity_regularizer`. The proximal step

        prox(w, step) = argmin_v ½‖v − w‖² + step · Ω(v)

    by which `DecoupledWeightDecay(penalty=…)` uses it, is found numerically from the
    value, in some hundred evaluations of its gradient; define `prox` where you know
    better. Define `get_config` and register the class with
    `keras.saving.register_keras_serializable` if models are to be saved.

    Penalties compose: `a + b` is their sum and `0.5 * a` multiplies the value, whatever
    the penalty; both serialise.

    A penalty may say more of itself: `convex = False` that it is not convex, so that
    the proximal step of a sum is looked for in a way that does not rely on it, and
    `entrywise(w)` what it is of each entry, if it is a sum over entries.

    Example:

    ```python
    @keras.saving.register_keras_serializable(package="mine")
    class SmoothedL1(kd.Penalty):
        def __init__(self, strength):
            self.strength = strength

        def __call__(self, w):
            return self.strength * ops.sum(ops.sqrt(ops.square(w) + 1e-4))

        def get_config(self):
            return {"strength": self.strength}
    ```

    Reference: Parikh and Boyd, Proximal Algorithms, 2014.
    """

    # NumPy scalars then leave `np.float64(0.5) * penalty` to `__rmul__`.
    __array_ufunc__ = None

    @abc.abstractmethod
    def __call__(self, w):
        """The value Ω(w).

        Args:
            w: Weights, a floating-point tensor of any shape.

        Returns:
            A scalar tensor, in `w`'s precision or float32 if that is lower.
        """

    def prox(self, w, step):
        """The proximal step argmin_v ½‖v − w‖² + step · Ω(v).

        Unless a penalty defines it, it is found numerically from the value, to 1e-6 of
        the largest weight in float64 for convex penalties that are smooth or act on
        each entry by itself.

        Args:
            w: Weights, a floating-point tensor of any shape.
            step: Non-negative number or scalar tensor, in units of 1/Ω.

        Returns:
            A tensor of `w`'s shape and dtype.
        """
        from keras_decay.regularizers.maths.numeric_prox import numeric_prox

        wide = computable(w)
        return ops.cast(numeric_prox(self, wide, step_for(step, wide)), w.dtype)

    @property
    def convex(self):
        """Whether Ω is convex. A class says that it is not by `convex = False`."""
        return True

    def entrywise(self, w):
        """Ω of each entry of `w`, or None if Ω is not a sum over entries.

        Also None unless it is one and the same even function of each entry, which does
        not fall with |w|: the proximal step of a sum (`Sum`) relies on it.
        """
        del w
        return None

    @property
    def variables(self):
        """The `keras.Variable`s that this penalty holds as strengths."""
        return [v for v in vars(self).values() if isinstance(v, keras.Variable)]

    def flatten(self, factors=()):
        """This penalty as a list of pairs (its factors, a penalty that is no sum)."""
        return [(tuple(factors), self)]

    def parts(self):
        """The `Parts` of a penalty of L1, L2 and group terms, else None: `Sum.prox`."""
        return None

    def resolved(self, axis_of):
        """This penalty with `axis_of(name)` in place of an axis that is a name."""
        named = getattr(self, "axis", None)
        if not isinstance(named, str):
            return self
        new = copy.copy(self)
        new.axis = axis_of(named)
        return new

    def __add__(self, other):
        from keras_decay.regularizers.penalty.sums import Sum

        if not isinstance(other, Penalty):
            return NotImplemented
        return Sum([self, other])

    def __radd__(self, other):
        # The built-in sum() starts with the number 0.
        if validation.is_number(other) and other == 0:
            return self
        return NotImplemented

    def __mul__(self, factor):
        from keras_decay.regularizers.penalty.sums import Scaled

        return Scaled(self, factor)

    __rmul__ = __mul__

    def __repr__(self):
        settings = ", ".join(
            f"{name}={value!r}"
            for name, value in vars(self).items()
            if not name.startswith("_")
        )
        return f"{type(self).__name__}({settings})"


HALF = ("float16", "bfloat16")


def computable(w):
    """`w` as a tensor in which sums neither overflow nor lose small terms.

    float16 and bfloat16 become float32; integers become Keras' default float.
    """
    w = ops.convert_to_tensor(w)
    dtype = keras.backend.standardize_dtype(w.dtype)
    if dtype in HALF:
        return ops.cast(w, "float32")
    if "float" not in dtype:
        return ops.cast(w, keras.config.floatx())
    return w


def strength_for(strength, w):
    """The strength as something that multiplies the tensor `w`.

    Raises:
        RuntimeError: If the strength is a variable whose present value would be burnt
            into a compiled program, so that later changes would be ignored.
    """
    if not isinstance(strength, keras.Variable):
        if ops.is_tensor(strength):
            return ops.cast(strength, w.dtype)
        return strength
    value = strength.value
    if backend.current().is_baked(value):
        raise RuntimeError(
            f"The strength {strength.path!r} is a keras.Variable that is no part of "
            "the model's state, so JAX would compile its present value into the "
            "training step and ignore later changes. Call `kd.track_strength(layer, "
            "penalty)`, which makes it part of the state; or give the penalty a plain "
            "number, or give it to `DecoupledWeightDecay(penalty=…)`."
        )
    return ops.cast(value, w.dtype)


def plain(strength):
    """The strength's present value as a plain float, for a config."""
    if isinstance(strength, float):
        return strength
    return float(ops.convert_to_numpy(strength))


def step_for(step, w):
    """A proximal step as something that multiplies the tensor `w`."""
    if ops.is_tensor(step) or isinstance(step, keras.Variable):
        return ops.cast(step, w.dtype)
    return validation.number("step", step, minimum=0)
